"""What the report knows of each record, for operations that go by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from studio_core.curation.base import BATCH, Source, Work
from studio_core.reports import features

NAMES = tuple(name for name in features.SCHEMA.names if name not in ("row", "findings"))
"""Columns with one value for each record."""


def file_of(work: Work, source: Source | None = None) -> Path:
    """The features file of a source; worked out first if no report has done so."""
    source = source or work.source
    if source.features is not None:
        return source.features
    file = work.folder / f"{source.path.stem}{features.SUFFIX}"
    if file.is_file():
        return file

    def progress(rows_done: int) -> None:
        work.go_on()
        work.report(rows_done, source.rows, {})

    # Only here: what it judges languages with takes a second to load.
    from studio_core.reports.compute import compute

    compute(source.path, source.shape, file, progress=progress)
    if source is work.source:
        # Only of the first source: the engine keeps it under that version's hash, for the next work on it.
        work.side_files[file.name] = features.SUFFIX.lstrip(".")
    return file


def rows(file: Path, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """These columns of each record, in order."""
    # Not read ahead: of a large file that would hold whole columns in memory.
    with pq.ParquetFile(file, pre_buffer=False) as opened:
        for batch in opened.iter_batches(batch_size=10 * BATCH, columns=list(names)):
            yield from batch.to_pylist()


def beside(
    work: Work, names: Sequence[str], source: Source | None = None
) -> Iterator[list[tuple[int, Any, dict[str, Any]]]]:
    """``Work.batches`` with the features of each record: ``(row, record, features)``; {} if none is named."""
    if not names:
        for batch in work.batches(source):
            yield [(row, record, {}) for row, record in batch]
        return
    feature_rows = rows(file_of(work, source), names)
    for batch in work.batches(source):
        described = islice(feature_rows, len(batch))
        yield [(row, record, what) for (row, record), what in zip(batch, described, strict=True)]
