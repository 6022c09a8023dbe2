"""In which language an answer is."""

from __future__ import annotations

from studio_core.data.languages import UNKNOWN, likeliest_language
from studio_core.data.words import words

# Enough to be sure of it; the time to tell grows with the text.
_LOOKED_AT = 2000


def response_language(answer: str, language: str) -> bool:
    """Where there is nothing to tell by, such as in numbers, it counts as followed, as in the benchmark."""
    # Small letters: the classifier knows few texts in capitals.
    text = answer[:_LOOKED_AT].lower()
    return likeliest_language(text, words(text)[:50]) in (language, UNKNOWN)
