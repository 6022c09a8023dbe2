"""How an answer begins and ends."""

from __future__ import annotations


def end_checker(answer: str, end_phrase: str) -> bool:
    """It ends in the phrase, and nothing comes after it; quotation marks around the answer do not count."""
    return answer.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quotation(answer: str) -> bool:
    """All of it is in double quotation marks."""
    text = answer.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'
