"""Signs that an answer must not have."""

from __future__ import annotations


def no_comma(answer: str) -> bool:
    return "," not in answer
