"""Datasets of the studio: files in, immutable versions out.

A version exists when its row exists, and its row is written after its complete, synced Parquet
file. Whatever fails before that leaves nothing behind.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select

from studio_core import texts
from studio_core.data import exports, parquet, readers, versions
from studio_core.data.checks import converter
from studio_core.data.mapping import Guess, Mapping, guess, placeholders
from studio_core.data.naming import checked_name, name_from
from studio_core.data.shapes import Record, Shape, texts_of
from studio_core.data.turns import Rejected
from studio_core.data.versions import Made, all_datasets, get, parquet_path
from studio_core.errors import BadInput, StudioError
from studio_core.settings import bundled_folder
from studio_core.studio import Studio
from studio_core.tables import Dataset

__all__ = [
    "Imported",
    "Inspection",
    "all_datasets",
    "ensure_samples",
    "export",
    "get",
    "import_file",
    "inspect_file",
    "parquet_path",
    "records",
    "sweep_uploads",
]

LISTED = 1000
"""Rejected rows that are listed; more are only counted."""

_LOOKED_AT = 200
_PLACEHOLDERS = 20
_OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass
class Inspection:
    """What was understood of a file, before anything is stored."""

    source: str
    format: str
    encoding: str
    gzipped: bool
    columns: list[str]
    mapping: Mapping
    guess: Guess
    placeholders: list[str] = field(default_factory=list)
    """Names written ``{{name}}`` for which no value is given."""
    good: int = 0
    bad: int = 0
    reasons: list[dict[str, Any]] = field(default_factory=list)
    """``{"row", "reason", "code", "values"}`` of the first bad rows; ``reason`` is in English."""
    sample_rows: list[Any] = field(default_factory=list)
    """The first rows as the file has them."""
    sample_records: list[Record] = field(default_factory=list)
    """The first good rows as they would be stored."""

    @property
    def shape(self) -> Shape:
        return self.mapping.shape


@dataclass(frozen=True)
class Imported:
    dataset: Dataset
    rejected: list[dict[str, Any]]
    """As ``Inspection.reasons``."""
    new: bool
    """False: these very records are in the studio under this name already."""


def inspect_file(
    studio: Studio, path: Path, *, source: str | None = None, mapping: Mapping | None = None
) -> Inspection:
    """Read the whole file and say what it is and which rows would do; stores nothing."""
    seen, numbered = _begin(studio, path, source, mapping)
    if seen.mapping.missing():
        return seen
    names: dict[str, None] = {}
    for record in _records(seen, numbered):
        if len(seen.sample_records) < 20:
            seen.sample_records.append(record)
        if len(names) < _PLACEHOLDERS:
            names.update(dict.fromkeys(placeholders(texts_of(record))))
    seen.placeholders = list(names)
    return seen


def import_file(
    studio: Studio,
    path: Path,
    *,
    name: str | None = None,
    source: str | None = None,
    mapping: Mapping | None = None,
) -> Imported:
    """Store the good rows of a file as a new version of the dataset ``name``.

    The same records under the same name again are the existing version.
    """
    name = checked_name(name) if name else name_from(source or path.name)
    seen, numbered = _begin(studio, path, source, mapping)
    if missing := seen.mapping.missing():
        raise BadInput(
            "data.parts_missing",
            file=seen.source,
            parts=", ".join(missing),
            columns=", ".join(seen.columns)[:500] or "-",
            shape=seen.shape,
        )
    partial, sha256 = _written(studio, seen, numbered)
    try:
        return _stored(studio, seen, name, partial, sha256)
    finally:
        partial.unlink(missing_ok=True)


def _begin(
    studio: Studio, path: Path, source: str | None, mapping: Mapping | None
) -> tuple[Inspection, readers.Rows]:
    if not path.is_file() or not os.access(path, os.R_OK):
        raise BadInput("data.file_missing", file=source or path)
    # A file may unpack to four times what may be uploaded; more is a mistake or an attack.
    file = readers.recognise(path, source, limit=studio.settings.max_upload_mb << 22)
    numbered = readers.rows(file)
    first = list(islice(numbered, _LOOKED_AT))
    if not first:
        raise BadInput("data.no_rows", file=file.source)
    rows = [row for _, row in first if isinstance(row, dict)]
    if not rows:
        reasons = [_reason(number, row) for number, row in first]
        raise _none_good(file.source, len(reasons), reasons[0])
    columns = list(dict.fromkeys(column for row in rows for column in row))
    guessed = guess(columns, rows)
    seen = Inspection(
        source=file.source,
        format=file.format,
        encoding=file.encoding,
        gzipped=file.gzipped,
        columns=columns,
        mapping=mapping or guessed.mapping,
        guess=guessed,
        sample_rows=rows[:5],
    )
    return seen, chain(first, numbered)


def _records(seen: Inspection, numbered: readers.Rows) -> Iterator[Record]:
    """The good rows as records; the bad ones are counted and listed in ``seen``."""
    convert = converter(seen.mapping)
    for number, row in numbered:
        try:
            if isinstance(row, Rejected):
                raise row
            record = convert(row)
        except Rejected as rejected:
            seen.bad += 1
            if len(seen.reasons) < LISTED:
                seen.reasons.append(_reason(number, rejected))
            continue
        seen.good += 1
        yield record


def _reason(number: int, rejected: Rejected) -> dict[str, Any]:
    sentence = texts.text(f"data.row_{rejected.code}", **rejected.values)
    return {"row": number, "reason": sentence, "code": rejected.code, "values": rejected.values}


def _none_good(source: str, bad: int, first: dict[str, Any]) -> BadInput:
    return BadInput("data.no_good_rows", file=source, bad=bad, row=first["row"], reason=first["reason"])


def _written(studio: Studio, seen: Inspection, numbered: readers.Rows) -> tuple[Path, str]:
    """A complete temporary Parquet file of the good rows, and the hash of its content."""
    descriptor, name = tempfile.mkstemp(suffix=".partial", dir=studio.settings.uploads)
    partial = Path(name)
    try:
        with _space_for(studio.settings.datasets, partial), open(descriptor, "wb") as file:
            sha256 = _write_records(file, seen, numbered)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return partial, sha256


def _write_records(file: IO[bytes], seen: Inspection, numbered: readers.Rows) -> str:
    writer = parquet.Writer(file, seen.shape, seen.mapping.keep)
    try:
        for record in _records(seen, numbered):
            writer.add(record)
        if not seen.good:
            raise _none_good(seen.source, seen.bad, seen.reasons[0])
        return writer.close()
    except BaseException:
        writer.abandon()
        raise


@contextmanager
def _space_for(folder: Path, partial: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _OUT_OF_SPACE:
            raise
        written = partial.stat().st_size if partial.exists() else 0
        raise StudioError(
            "data.disk_full",
            folder=folder,
            needed=max(1, written >> 20),
            free=shutil.disk_usage(folder).free >> 20,
        ) from error


def _stored(studio: Studio, seen: Inspection, name: str, partial: Path, sha256: str) -> Imported:
    made = Made(
        name=name,
        shape=seen.shape,
        rows=seen.good,
        sha256=sha256,
        source=seen.source,
        mapping=seen.mapping.model_dump(mode="json"),
        rejected=seen.reasons,
        rejected_count=seen.bad,
    )
    dataset, new = versions.add(studio, partial, made)
    return Imported(dataset, seen.reasons, new=new)


def records(studio: Studio, dataset: Dataset, offset: int = 0, limit: int = 50) -> list[Record]:
    return list(parquet.read(parquet_path(studio, dataset), max(0, offset), max(0, limit)))


def export(studio: Studio, dataset: Dataset, target: Path, format: str) -> Path:
    """Write a dataset to ``target`` as jsonl, json, csv or parquet: the whole file or nothing."""
    target = target.expanduser().absolute()
    path = parquet_path(studio, dataset)
    try:
        with _space_for(target.parent, target):
            exports.write(path, Shape(dataset.shape), target, format)
    except OSError as error:
        raise BadInput("data.export_failed", path=target, reason=error.strerror or str(error)) from error
    return target


def ensure_samples(studio: Studio) -> list[Dataset]:
    """Import the sample data that comes with the studio, unless it is there; returns what was added."""
    files = sorted((bundled_folder() / "samples").glob("*.jsonl"))
    with studio.db.read() as session:
        there = set(session.scalars(select(Dataset.name).distinct()))
    return [import_file(studio, file).dataset for file in files if name_from(file.name) not in there]


def sweep_uploads(studio: Studio, older_than: float = 86_400.0) -> int:
    """Remove leftovers of uploads and imports untouched for ``older_than`` seconds; returns how many."""
    limit = time.time() - older_than
    removed = 0
    for folder, _, names in os.walk(studio.settings.uploads, topdown=False):
        for path in (Path(folder) / name for name in names):
            if path.lstat().st_mtime < limit:
                path.unlink(missing_ok=True)
                removed += 1
        below = Path(folder)
        if below != studio.settings.uploads and not any(below.iterdir()):
            below.rmdir()
    return removed
