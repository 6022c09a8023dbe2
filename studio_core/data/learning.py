"""Which tokens of a record are learnt, as the options of a method say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LossOn = Literal["answers", "everything"]
"""Answers: what the assistant says, of plain text all. Turns with ``train: False`` are never learnt."""

Reasoning = Literal["learn", "mask", "drop"]
"""Of thoughts before an answer: learnt with it, seen only, or left out."""

Truncation = Literal["end", "prompt"]
"""Of a record over the length limit: its end is cut off, or the start of its prompt, so that the answer stays."""


@dataclass(frozen=True)
class Learning:
    loss_on: LossOn = "answers"
    reasoning: Reasoning = "learn"
    truncation: Truncation = "end"
