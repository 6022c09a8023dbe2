"""Which words and letters an answer has, and how often. Capitals make no difference."""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio_core.suites.instruction_checks.counting import fits


def existence(answer: str, keywords: Sequence[str]) -> bool:
    """All of them are in it, also inside of longer words."""
    return all(keyword.lower() in answer.lower() for keyword in keywords)


def frequency(answer: str, keyword: str, frequency: int, relation: str) -> bool:
    return fits(answer.lower().count(keyword.lower()), relation, frequency)


def forbidden_words(answer: str, forbidden_words: Sequence[str]) -> bool:
    """None of them is in it as a word of its own."""
    return not any(
        re.search(rf"\b{re.escape(word)}\b", answer, re.IGNORECASE) is not None for word in forbidden_words
    )


def letter_frequency(answer: str, letter: str, let_frequency: int, let_relation: str) -> bool:
    return fits(answer.lower().count(letter.lower()), let_relation, let_frequency)
