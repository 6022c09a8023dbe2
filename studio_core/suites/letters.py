"""What the suites of multiple choice share: a question with lettered options, and the letter read from an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

from studio_core.data.shapes import Message
from studio_core.suites.base import Item, Verdict, asked

LETTERS = ascii_uppercase[:10]
"""MMLU-Pro has up to ten options."""

# As the authors of MMLU-Pro describe it: the sentence that was asked for, then "Answer: C", then the last letter that
# stands alone. Where they guess at random, an answer counts as unreadable here.
_SENTENCE = re.compile(rf"answer is \(?([{LETTERS}])\)?(?![A-Za-z])")
_LABEL = re.compile(rf"[aA]nswer:\s*\(?([{LETTERS}])\)?(?![A-Za-z])")
_ALONE = re.compile(rf"\b([{LETTERS}])\b")


def lettered(question: str, options: Sequence[str]) -> tuple[Message, ...]:
    """The question with its options, and how to answer."""
    lines = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
    return asked(
        f"{question.strip()}\n\n{lines}\n\nThink step by step, and then finish your answer with "
        '"The answer is (X)", where X is the letter of the right option.'
    )


def letter_in(answer: str) -> str:
    """The letter that an answer decides for; empty if none can be read."""
    if first := _SENTENCE.search(answer):
        return first[1]
    if labels := _LABEL.findall(answer):
        return str(labels[-1])
    alone = _ALONE.findall(answer)
    return str(alone[-1]) if alone else ""


def score(item: Item, answer: str) -> Verdict:
    """1 if the letter is the key."""
    letter = letter_in(answer)
    if not letter:
        return Verdict(0.0, "no_letter", {"wanted": item.key}, readable=False)
    if letter == item.key:
        return Verdict(1.0)
    return Verdict(0.0, "other_answer", {"answer": letter, "wanted": item.key})


def options_in(options: object) -> tuple[str, ...]:
    """Raises TypeError or ValueError if they are not 2 to 10 texts."""
    # Parquet gives lists as arrays.
    if isinstance(options, str) or not isinstance(options, Sequence):
        raise TypeError(f"options: {options!r:.80} is no list")
    texts = tuple(str(option).strip() for option in options)
    if not 2 <= len(texts) <= len(LETTERS):
        raise ValueError(f"options: {len(texts)} instead of 2 to {len(LETTERS)}")
    return texts
