"""Capitals and small letters."""

from __future__ import annotations

from studio_core.suites.instruction_checks.counting import fits, tokens
from studio_core.suites.instruction_checks.language import response_language


def capital_word_frequency(answer: str, capital_frequency: int, capital_relation: str) -> bool:
    """So many words all in capitals; ``I`` and ``A`` are such words."""
    return fits(sum(token.isupper() for token in tokens(answer)), capital_relation, capital_frequency)


def english_capital(answer: str) -> bool:
    """English without a small letter."""
    return answer.isupper() and response_language(answer, "en")


def english_lowercase(answer: str) -> bool:
    """English without a capital."""
    return answer.islower() and response_language(answer, "en")
