"""The final answer is the one that the record gives."""

from __future__ import annotations

from studio_core.data.final_answers import final_answer, same
from studio_core.data.shapes import Record
from studio_core.options import option
from studio_core.rewards.base import Reward, RewardOptions, Score, held

COLUMN_NAMES = (
    "answer", "answers", "solution", "target", "reference", "reference_answer", "ground_truth", "final_answer",
    "expected", "gold", "label",
)  # fmt: skip
"""Columns that hold a reference answer, the likeliest first."""

_OWN_ANSWERS = ("completion", "chosen", "messages")
"""Where no column does, the record's own answer is the reference."""


class EqualityOptions(RewardOptions):
    column: str = option("", choices_of="columns", advanced=False)


def columns(options: EqualityOptions) -> tuple[str, ...]:
    """Where the reference answer is, or a worked solution that ends in it; it is looked for if no column is named."""
    column = options.column.strip()
    return (column,) if column else (*COLUMN_NAMES, *_OWN_ANSWERS)


def equality(options: EqualityOptions) -> Score:
    """1 if the final answers are the same, else 0; 0 too where there is no reference."""
    looked_into = columns(options)

    def score(prompt: str, answer: str, record: Record) -> float:
        reference = held(record, looked_into)
        if reference is None:
            return 0.0
        return float(same(final_answer(answer) or answer, final_answer(reference) or reference))

    return score


EQUALITY = Reward("equality", equality, EqualityOptions, columns, setting="column")
