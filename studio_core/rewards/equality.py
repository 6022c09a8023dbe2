"""The final answer is the one that the record gives."""

from __future__ import annotations

from typing import Any

from studio_core.rewards.answers import final_answer, same
from studio_core.rewards.base import Reward

COLUMN_NAMES = (
    "answer", "answers", "solution", "target", "reference", "reference_answer", "ground_truth", "final_answer",
    "expected", "gold", "label",
)  # fmt: skip
"""Columns that hold a reference answer, the likeliest first."""

_OWN_ANSWERS = ("completion", "chosen", "messages")
"""Where no column does, the record's own answer is the reference."""


def equality(column: str) -> Reward:
    """1 if the final answers are the same, else 0; 0 too where there is no reference.

    ``column`` holds the reference answer, or a worked solution that ends in it; empty: it is looked for.
    """

    def reward(prompt: str, answer: str, record: dict[str, Any]) -> float:
        wanted = reference(record, column)
        if wanted is None:
            return 0.0
        return float(same(final_answer(answer) or answer, wanted))

    return reward


def reference(record: dict[str, Any], column: str = "") -> str | None:
    """The reference answer of a record, or None."""
    names = (column,) if column else (*COLUMN_NAMES, *_OWN_ANSWERS)
    held = next((record[name] for name in names if record.get(name)), None)
    if isinstance(held, list):  # Turns: the last one answers, if one does.
        held = held[-1].get("content") if held[-1].get("role") == "assistant" else None
    text = "" if held is None else str(held).strip()
    return (final_answer(text) or text) or None
