"""What a reward is: a number that says how good an answer to a prompt is. Pure functions; no torch here.

Texts are ``rewards.<reward>``, ``....help`` and ``rewards.<reward>.<option>``, or ``rewards.<option>`` where
several rewards have it alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from studio_core.data.shapes import Record
from studio_core.options import Part

Score = Callable[[str, str, Record], float]
"""``(prompt, answer, record) -> reward``: what was asked, what was answered, and the record that asked it."""


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
    lowest: float = 0.0
    highest: float = 1.0
    setting: str = ""
    """The option that stood as plain text in specs of former versions."""

    @property
    def title_key(self) -> str:
        return f"rewards.{self.name}"

    @property
    def areas(self) -> tuple[str, ...]:
        return (self.title_key, "rewards", "options")


def held(record: Record, columns: Iterable[str]) -> str | None:
    """What the first of these columns that is not empty says; of turns it is the last one, if that answers."""
    value = next((record[name] for name in columns if record.get(name)), None)
    if isinstance(value, list):
        value = value[-1].get("content") if value[-1].get("role") == "assistant" else None
    return str(value).strip() or None if value is not None else None
