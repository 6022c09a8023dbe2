"""What a reward is: a number that says how good an answer to a prompt is. Pure functions; no torch here.

Texts are ``rewards.<reward>``, ``....help`` and ``rewards.<reward>.<option>``, or ``rewards.<option>`` where
several rewards have it alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from studio_core.data.shapes import Record
from studio_core.options import Part
from studio_core.runs.spec import RoleName

Score = Callable[[str, str, Record], float]
"""``(prompt, answer, record) -> reward``: what was asked, what was answered, and the record that asked it."""

Answered = tuple[str, str, Record]
"""Prompt, answer and record."""
Scores = Callable[[Sequence[Answered]], list[float | Exception]]
"""The rewards of many answers, one for each; where there is none, why."""


def one_by_one(score: Score) -> Scores:
    """Many answers by a reward that looks at each by itself. What it raises is that answer's, and no other's."""

    def scored(answered: Answered) -> float | Exception:
        try:
            return float(score(*answered))
        except Exception as error:  # Whatever a pattern, a library or somebody's code may raise.
            return error

    return lambda many: [scored(answered) for answered in many]


def at_once(scores: Scores) -> Scores:
    """Many answers by a reward that takes them together. What it raises is that of all of them."""

    def scored(many: Sequence[Answered]) -> list[float | Exception]:
        try:
            return scores(many)
        except Exception as error:  # As above.
            return [error] * len(many)

    return scored


class RewardOptions(BaseModel):
    """Field order is form order. Fields are made by ``studio_core.options.option``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Reward(Part):
    name: str
    score: Callable[[Any], Score]
    """What gives the rewards, for options of the class below."""
    Options: type[RewardOptions] = RewardOptions
    columns: Callable[[Any], tuple[str, ...]] = lambda options: ()
    """Columns of a record that it looks into, of which one must hold something; none: the answer says it all."""
    many: Callable[[Any], Scores] | None = None
    """The same for many answers at once, where that is faster than one after the other."""
    lowest: float = 0.0
    highest: float = 1.0
    role: RoleName | None = None
    """The role of the model that it asks: only trainings have one, and their worker gives the scores."""
    service: Callable[[Any], str] = lambda options: ""
    """The service that it asks with these options in place of that model; empty: none."""
    compares: bool = False
    """Whether it looks at all answers to one prompt together; of a single one it has no say."""
    setting: str = ""
    """The option that stood as plain text in specs of former versions."""

    @property
    def title_key(self) -> str:
        return f"rewards.{self.name}"

    @property
    def areas(self) -> tuple[str, ...]:
        return (self.title_key, "rewards", "options")


def held(record: Record, columns: Iterable[str]) -> str | None:
    """What the first of these columns that is not empty says; of turns it is the last one, if that answers; of
    several texts it is all of them."""
    value = next((record[name] for name in columns if record.get(name)), None)
    if isinstance(value, list) and isinstance(value[-1], str):
        value = "\n".join(value)
    elif isinstance(value, list):
        value = value[-1].get("content") if value[-1].get("role") == "assistant" else None
    return str(value).strip() or None if value is not None else None
