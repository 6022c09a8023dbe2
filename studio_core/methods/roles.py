"""The parts that models play in a training: which of them learn, and what passes through each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from studio_core.runs.spec import RoleName


@dataclass(frozen=True)
class Role:
    name: RoleName
    learns: bool = False
    output: Literal["words", "score"] = "words"
    sequences: int = 1
    """Sequences of each row that pass through it."""
    passes: int = 0
    """Forward passes without gradient, for each sequence that learns."""
    begins_as: RoleName | None = None
    """The role of whose model this is what it was before the training. It is copied where every weight learns; under an
    adapter the frozen weights are that model already."""
    optional: bool = False
    """Whether a run can do without it."""
