r"""MATH-500: 500 problems of competitions from seven fields, whose answers are numbers, formulas and a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio_core.suites.base import Item, Source, Suite, text_in
from studio_core.suites.mathematics import score, worked


def item(suite: str, record: Mapping[str, Any], number: int) -> Item:
    return Item(
        suite,
        text_in(record, "subject"),
        worked(text_in(record, "problem")),
        text_in(record, "answer"),
        id=str(record.get("unique_id", number)),
    )


MATH500 = Suite(
    "math500",
    score,
    # Solutions of the hardest level are long, and longer with reasoning.
    max_tokens=4096,
    item=item,
    source=Source("HuggingFaceH4/MATH-500", licence="MIT", about="https://arxiv.org/abs/2305.20050"),
)
