"""What each way of tuning cost and taught on one small task, as the committed benchmark has measured it.

``python -m jobs.demo.tunings`` writes ``measured.json`` beside this module and docs/tunings.md from it; the Train page
shows the same figures.
"""

from __future__ import annotations

from functools import cache
from math import sqrt
from pathlib import Path
from statistics import mean

from pydantic import BaseModel, ConfigDict, JsonValue

from studio_core.base import atomic

FILE = Path(__file__).with_name("measured.json")


class Figure(BaseModel):
    """One way of tuning, with what is changed of its options."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tuning: str
    options: dict[str, JsonValue] = {}
    trained: int
    """Parameters that learn."""
    bytes: int
    """Of the weights of the result."""
    memory: int
    """Bytes on a GPU, computed for the larger model (``Measured.computed_for``)."""
    learning_rate: float
    steps: int
    seconds: float
    """Of processor time, for 100 steps; the least of the seeds."""
    scores: dict[str, float]
    """Per cent of the questions of each group that were answered right; the mean of the seeds."""
    merges: bool
    mixes: bool

    @property
    def score(self) -> float:
        """Groups count alike, however many questions they have."""
        return mean(self.scores.values())


class Measured(BaseModel):
    """All of it, and what it was measured with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    date: str
    processor: str
    versions: dict[str, str]
    """Of the libraries that computed it."""
    model: str
    parameters: int
    rows: int
    """Of training data."""
    seeds: int
    asked: dict[str, int]
    """Questions by group."""
    computed_for: str
    """The model that memory is computed for."""
    batch: int
    """Rows at once there."""
    length: int
    """Their tokens."""
    figures: list[Figure]

    @property
    def chance(self) -> float:
        """Points by which two scores may differ by chance (95 %), where it is largest: half the answers are right.

        Of one answer a question and one seed; that all are asked the same questions only makes it less.
        """
        variance = sum(0.25 / count for count in self.asked.values()) / len(self.asked) ** 2
        return 100 * 1.96 * sqrt(2 * variance)


@cache
def measured() -> Measured:
    return Measured.model_validate(atomic.read_json(FILE))


def write(measured_: Measured, path: Path = FILE) -> None:
    # Of a package, so that whoever runs it can read it.
    atomic.write_json(path, measured_.model_dump(mode="json"), mode=0o644)
