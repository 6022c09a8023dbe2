"""What a check is: it sees all records once, a batch at a time, and then says what it found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import numpy as np
from pydantic import BaseModel

from studio_core.data.shapes import Shape
from studio_core.reports.batch import Batch
from studio_core.reports.findings import BITS
from studio_core.reports.statistics import Numbers
from studio_core.runs.spec import ResolvedModel

# A page shows some of them, and a report stays small in the database.
FIRST = 100
"""Of what is found, how many row numbers a report itself lists; the features file has all."""


@dataclass(frozen=True)
class Asked:
    """What a report is made of and with."""

    file: Path
    """Parquet file of the dataset version."""
    shape: Shape
    rows: int
    scratch: Path
    """Folder for what does not fit into memory; nothing is left in it."""
    tokenizer: ResolvedModel | None = None
    """The model whose tokens are counted."""
    limit: int | None = None
    """Tokens beyond which a record is cut in training."""
    suites: Mapping[str, Path] = field(default_factory=dict)
    """Evaluation suites by name: files of any kind that the studio reads."""
    others: Mapping[str, Path] = field(default_factory=dict)
    """Other dataset versions (Parquet files) by name, whose prompts should not be here."""
    # What the presets of training hold out.
    held_out: float = 0.1
    """Share of the rows that a training would hold out."""
    seed: int = 0
    progress: Callable[[int], None] = lambda done: None
    """Called now and then with the number of records done; may raise to end the work."""


class Rows:
    """Columns of numbers, one for each record, that grow batch by batch."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[Numbers]] = {}
        self._whole: dict[str, Numbers] = {}
        self.count = 0

    def add(self, batch: Batch) -> None:
        for name, values in (*batch.columns.items(), ("found", batch.found)):
            self._pieces.setdefault(name, []).append(values)
        self.count += len(batch)

    def __contains__(self, name: str) -> bool:
        return name in self._pieces or name in self._whole

    def __getitem__(self, name: str) -> Numbers:
        if name not in self._whole:
            # Joined when they are first asked for, and the pieces let go: both
            # together would need twice the memory.
            self._whole[name] = np.concatenate(self._pieces.pop(name))
        return self._whole[name]

    def __setitem__(self, name: str, values: Numbers) -> None:
        self._whole[name] = values

    def forget(self, *names: str) -> None:
        """Free columns that nobody needs any more."""
        for name in names:
            self._pieces.pop(name, None)
            self._whole.pop(name, None)

    def flag(self, places: Numbers, finding: str) -> None:
        """Note a finding of records that were seen earlier. ``places`` count from 0."""
        self["found"][places] |= np.uint32(BITS[finding])

    def unflag(self, finding: str) -> None:
        """Nothing was found after all."""
        # In 32 bits: Python's own ~ is negative.
        self["found"][:] &= np.uint32(~BITS[finding] & 0xFFFFFFFF)

    def with_finding(self, finding: str) -> Numbers:
        """Numbers (from 1) of the rows that have the finding."""
        return np.flatnonzero(self["found"] & np.uint32(BITS[finding])) + 1


Part = TypeVar("Part", bound=BaseModel, covariant=True)


class Check(Generic[Part]):
    """One check. ``name`` is the part of the report that it gives."""

    name: ClassVar[str]
    finds: ClassVar[tuple[str, ...]] = ()
    shapes: ClassVar[frozenset[Shape]] = frozenset(Shape)

    def __init__(self, asked: Asked) -> None:
        self.asked = asked

    def see(self, batch: Batch) -> None:
        raise NotImplementedError

    def result(self, rows: Rows) -> Part | None:
        """Called once, after all batches; in the order of the list of checks."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what was held, whether or not the work was done."""


ANSWERED = frozenset(Shape) - {Shape.TEXT, Shape.PROMPT_ONLY}
"""Shapes whose records hold an answer."""
PROMPTED = ANSWERED | {Shape.PROMPT_ONLY}
"""Shapes whose records hold a prompt."""
