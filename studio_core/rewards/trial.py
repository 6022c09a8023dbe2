"""A reward tried out: what it gives for answers at hand, before a training learns from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from studio_core import rewards
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.data.shapes import Record
from studio_core.rewards.base import Answered, Scores
from studio_core.runs.spec import RewardChoice


@dataclass(frozen=True)
class Trial:
    prompt: str
    answer: str
    value: float | None
    """None: it could not be scored; then ``error`` says why."""
    error: Exception | None = None

    @property
    def reason(self) -> str:
        if self.error is None:
            return ""
        return (
            str(self.error)
            if isinstance(self.error, StudioError)
            else f"{type(self.error).__name__}: {self.error}"
        )


def of_answers(
    choice: RewardChoice, answered: Sequence[Answered], scores: Scores | None = None
) -> list[Trial]:
    """What the reward gives for these answers, without its weight. Raises ``BadInput`` of options that do not do.

    ``scores``: what gives the values of a reward that asks somebody.
    """
    values = (scores or rewards.scores(choice.name, choice.options))(answered)
    return [
        _trial(prompt, answer, value) for (prompt, answer, _), value in zip(answered, values, strict=True)
    ]


def of_dataset(
    studio: Studio,
    choice: RewardChoice,
    dataset: str,
    rows: int,
    offset: int = 0,
    answer: str | None = None,
    scores: Scores | None = None,
) -> list[Trial]:
    """The same for rows of a dataset: for the answer that each has of its own, or for the one that is given."""
    records = store.records(studio, store.get(studio, dataset), offset, rows)
    answered: list[Answered] = []
    for record in records:
        prompt, own = own_answer(record)
        answered.append((prompt, own if answer is None else answer, record))
    return of_answers(choice, answered, scores)


def own_answer(record: Record) -> tuple[str, str]:
    """The last prompt of a record and its answer; of pairs the chosen one; empty where it has none."""
    turns = [*(record.get("messages") or record.get("prompt") or [])]
    for column in ("completion", "chosen"):
        turns += record.get(column) or []
    answer = str(turns.pop()["content"] or "") if turns and turns[-1]["role"] == "assistant" else ""
    return str(turns[-1]["content"] or "") if turns else "", answer


def _trial(prompt: str, answer: str, value: float | Exception) -> Trial:
    if isinstance(value, Exception):
        return Trial(prompt, answer, None, value)
    # Neither is learnt from.
    return (
        Trial(prompt, answer, value)
        if math.isfinite(value)
        else Trial(prompt, answer, None, ValueError(str(value)))
    )
