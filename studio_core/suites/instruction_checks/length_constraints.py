"""How many sentences, paragraphs and words an answer has."""

from __future__ import annotations

import re

from studio_core.suites.instruction_checks.counting import fits, sentences, words

_DIVIDER = re.compile(r"\s?\*\*\*\s?")
"""The markdown divider by which this instruction has paragraphs separated."""
_FIRST_WORD = re.compile(r"[\"'“‘]*([^\s.,?!'\"’”]*)")


def number_sentences(answer: str, num_sentences: int, relation: str) -> bool:
    return fits(len(sentences(answer)), relation, num_sentences)


def number_words(answer: str, num_words: int, relation: str) -> bool:
    return fits(len(words(answer)), relation, num_words)


def number_paragraphs(answer: str, num_paragraphs: int) -> bool:
    """Exactly so many between dividers; one at the very start or end separates nothing."""
    paragraphs = [part.strip() for part in _DIVIDER.split(answer)]
    if not paragraphs[0]:
        del paragraphs[0]
    if paragraphs and not paragraphs[-1]:
        del paragraphs[-1]
    return all(paragraphs) and len(paragraphs) == num_paragraphs


def nth_paragraph_first_word(answer: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Exactly so many paragraphs, separated by empty lines, of which one begins with this word."""
    paragraphs = [part.strip() for part in answer.split("\n\n") if part.strip()]
    if len(paragraphs) != num_paragraphs or not 1 <= nth_paragraph <= len(paragraphs):
        return False
    begins = _FIRST_WORD.match(paragraphs[nth_paragraph - 1])
    return begins is not None and begins[1].lower() == first_word.lower()
