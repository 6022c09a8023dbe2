"""What an operation would do, told by its first records: the same code, in memory, at once."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from studio_core.curation.base import Operation, OperationOptions, Source, Work
from studio_core.data import parquet
from studio_core.data.shapes import Record, Shape

# Enough to meet what an operation changes, few enough to answer while one types.
LOOKED_AT = 200
"""Records of each dataset."""
SHOWN = 3
"""Records that are shown as they were and as they would be."""


class Collected:
    """An output that keeps its records, and knows the rows that they were made of."""

    def __init__(self, shape: Shape, suffix: str) -> None:
        self.shape, self.suffix = shape, suffix
        self.records: list[Record] = []
        self.rows: list[int] = []

    def add(self, record: Record, row: int = 0) -> None:
        self.records.append(record)
        self.rows.append(row)


@dataclass
class Trial(Work):
    """Work that leaves nothing behind."""

    collected: list[Collected] = field(default_factory=list)

    def output(self, shape: Shape | None = None, keep: list[str] | None = None, suffix: str = "") -> Any:
        self.collected.append(Collected(shape or self.source.shape, suffix))
        return self.collected[-1]


@dataclass(frozen=True)
class Preview:
    looked_at: int
    made: dict[str, int]
    """Records that there would be, by suffix of the result."""
    counts: dict[str, int]
    reasons: dict[str, int]
    changed: list[tuple[int, Record, Record]]
    """The first changed ones: row, before, after."""
    dropped: list[tuple[int, Record]]
    """The first that would be left out."""


def can_be_tried(operation: Operation) -> bool:
    """Whether its first records say what it would do: not if a model does it, or if it weighs all against all."""
    return operation.run is not None and operation.by_record


def tried(operation: Operation, sources: list[Source], options: OperationOptions, seed: int = 0) -> Preview:
    """What the operation would make of the first records. Raises ``BadInput`` as the operation itself would."""
    if operation.run is None:
        raise ValueError(f"{operation.name} has no preview")
    with tempfile.TemporaryDirectory(prefix="tunesmith-preview-") as folder:
        few = [_beginning(source, Path(folder), place) for place, source in enumerate(sources)]
        first = list(few[0].records())
        work = Trial(
            folder=Path(folder),
            sources=few,
            seed=seed,
            report=lambda done, total, figures: None,
            stopping=lambda: sum(len(output.records) for output in work.collected) >= LOOKED_AT * len(few),
        )
        operation.run(work, options)
    return _preview_of(work, first)


def _beginning(source: Source, folder: Path, place: int) -> Source:
    """A file with the first records of a source. It says how many there are in all, as operations go by that."""
    path = folder / f"source-{place}.parquet"
    with open(path, "w+b") as file:
        parquet.write(file, source.shape, parquet.read(source.path, limit=LOOKED_AT), source.kept)
    return replace(source, path=path)


def _preview_of(work: Trial, first: list[Record]) -> Preview:
    pairs = [pair for output in work.collected for pair in zip(output.rows, output.records, strict=True)]
    rows_left = {row for row, _ in pairs}
    # Row 0: made of no single record.
    changes = [(row, first[row - 1], record) for row, record in pairs if row and record != first[row - 1]]
    left_out = [(row, record) for row, record in enumerate(first, start=1) if row not in rows_left]
    return Preview(
        looked_at=len(first),
        made={output.suffix: len(output.records) for output in work.collected},
        counts=work.counts,
        reasons=work.details.get("reasons", {}),
        changed=changes[:SHOWN],
        # A record without a row is new; with such ones nobody can say which were left out.
        dropped=left_out[:SHOWN] if 0 not in rows_left else [],
    )
