r"""The final answer is the one that the record gives, by what it means: ``(x+1)^2`` is ``x^2+2x+1``."""

from __future__ import annotations

from studio_core.base.errors import BadInput, StudioError
from studio_core.data.final_answers import final_answer
from studio_core.data.mathematics import means_same
from studio_core.data.shapes import Record
from studio_core.rewards.base import Reward, Score, held
from studio_core.rewards.equality import EqualityOptions, columns


def math(options: EqualityOptions) -> Score:
    """1 if the final answers mean the same, else 0. Raises ``BadInput`` for a record without a reference, and for an
    expression that nobody can compare in the time that the helper has."""
    looked_into = columns(options)

    def score(prompt: str, answer: str, record: Record) -> float:
        reference = held(record, looked_into)
        if reference is None:
            raise BadInput("rewards.no_reference", columns=", ".join(looked_into))
        try:
            return float(means_same(reference, answer))
        except StudioError as error:
            wanted, given = final_answer(reference) or reference, final_answer(answer) or answer
            raise BadInput("rewards.not_comparable", answer=given[-80:], reference=wanted[:80]) from error

    return score


MATH = Reward("math", math, EqualityOptions, columns)
