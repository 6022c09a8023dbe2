"""GPQA: questions of biology, physics and chemistry that experts wrote, each with one right and three wrong options."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from studio_core.suites.base import Item, Source, Suite, text_in
from studio_core.suites.letters import LETTERS, lettered, score

_WRONG = tuple(f"Incorrect Answer {number}" for number in (1, 2, 3))


def item(suite: str, record: Mapping[str, Any], number: int) -> Item:
    """Options in an order that depends on the question only, so that every model sees the same one."""
    question = text_in(record, "Question")
    right = text_in(record, "Correct Answer").strip()
    options = [right, *(text_in(record, column).strip() for column in _WRONG)]
    random.Random(question).shuffle(options)
    return Item(
        suite,
        str(record.get("High-level domain") or "question"),
        lettered(question, options),
        LETTERS[options.index(right)],
        id=str(record.get("Record ID", number)),
        choices=tuple(options),
    )


GPQA = Suite(
    "gpqa",
    score,
    max_tokens=4096,
    item=item,
    source=Source(
        "Idavidrein/gpqa", "train", "gpqa_diamond", "CC-BY-4.0", "https://arxiv.org/abs/2311.12022"
    ),
)
