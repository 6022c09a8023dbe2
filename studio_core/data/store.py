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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from studio_core.base.errors import BadInput, StudioError
from studio_core.base.settings import bundled_folder
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Deletion
from studio_core.data import archives, parquet, uploads, versions
from studio_core.data.inspection import LISTED, Inspection, Reading
from studio_core.data.mapping import Mapping
from studio_core.data.naming import checked_name, name_from
from studio_core.data.shapes import Record
from studio_core.data.versions import Made, all_datasets, get, parquet_path
from studio_core.people.reach import reach

__all__ = [
    "LISTED",
    "Imported",
    "Inspection",
    "all_datasets",
    "ensure_samples",
    "get",
    "import_file",
    "import_files",
    "inspect_file",
    "inspect_files",
    "parquet_path",
    "records",
    "sweep_uploads",
]

# Full, over quota, larger than a file may be: for a person all three are "no space".
_OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Imported:
    dataset: Dataset
    rejected: list[dict[str, Any]]
    """As ``Inspection.reasons``."""
    new: bool
    """False: these very records are in the studio under this name already."""
    remarks: list[dict[str, Any]] = field(default_factory=list)
    """As ``Inspection.remarks``, in English."""


def inspect_file(
    studio: Studio, path: Path, *, source: str | None = None, mapping: Mapping | None = None
) -> Inspection:
    """Read the whole file and say what it is and which rows would do; stores nothing."""
    return inspect_files(studio, [path], sources=[source or path.name], mapping=mapping)


def inspect_files(
    studio: Studio,
    paths: Sequence[Path],
    *,
    sources: Sequence[str] | None = None,
    mapping: Mapping | None = None,
    first: int | None = None,
) -> Inspection:
    """The same of several files, archives and folders that make one dataset; with ``first`` of so many rows."""
    with _reading(studio, paths, sources, mapping) as reading:
        return reading.looked_through(first)


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
    return import_files(studio, [path], name=name, sources=[source or path.name], mapping=mapping)


def import_files(
    studio: Studio,
    paths: Sequence[Path],
    *,
    name: str | None = None,
    sources: Sequence[str] | None = None,
    mapping: Mapping | None = None,
    origin: dict[str, Any] | None = None,
) -> Imported:
    """The same of several files, archives and folders: their good rows, in order, are one version.

    ``origin`` says where they came from, and is kept with the version.
    """
    sources = sources or [path.name for path in paths]
    name = checked_name(name) if name else name_from(sources[0])
    with _reading(studio, paths, sources, mapping) as reading:
        seen = reading.seen
        partial, sha256 = _write_partial(studio, reading)
    try:
        return _store_version(studio, seen, name, partial, sha256, origin)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _reading(
    studio: Studio, paths: Sequence[Path], sources: Sequence[str] | None, mapping: Mapping | None
) -> Iterator[Reading]:
    sources = list(sources or [path.name for path in paths])
    for path, source in zip(paths, sources, strict=True):
        # Before anything is unpacked.
        if not (path.is_file() or path.is_dir()) or not os.access(path, os.R_OK):
            raise BadInput("data.file_missing", file=source)
    # Files may unpack to four times what may be uploaded; more is a mistake or an attack.
    limit = studio.settings.max_upload_mb << 22
    scratch = studio.settings.uploads
    with space_for(scratch, scratch):
        with archives.open_bundle(
            paths, sources, scratch=scratch, limit=limit, allowed=reach(studio)
        ) as bundle:
            yield Reading(bundle, ", ".join(sources)[:200], mapping, limit=limit)


def _write_partial(studio: Studio, reading: Reading) -> tuple[Path, str]:
    """A complete temporary Parquet file of the good rows, and the hash of its content."""
    descriptor, name = tempfile.mkstemp(suffix=".partial", dir=studio.settings.uploads)
    partial = Path(name)
    try:
        os.close(descriptor)
        with space_for(studio.settings.datasets, partial), open(partial, "w+b") as file:
            seen = reading.seen
            sha256 = parquet.write(file, seen.shape, reading.to_store(), seen.mapping.keep)
            file.flush()
            # On disk before its row: see the head of this module.
            os.fsync(file.fileno())
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return partial, sha256


@contextmanager
def space_for(folder: Path, partial: Path) -> Iterator[None]:
    """Says of a full disk how much was needed in ``folder``."""
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


def _store_version(
    studio: Studio, seen: Inspection, name: str, partial: Path, sha256: str, origin: dict[str, Any] | None
) -> Imported:
    made = Made(
        name=name,
        shape=seen.shape,
        rows=seen.good,
        sha256=sha256,
        source=seen.source,
        mapping=seen.mapping.model_dump(mode="json"),
        rejected=seen.reasons,
        rejected_count=seen.bad,
        made={"options": {"origin": origin}} if origin else {},
    )
    dataset, new = versions.add(studio, partial, made)
    return Imported(dataset, seen.reasons, new=new, remarks=seen.remarks())


def records(studio: Studio, dataset: Dataset, offset: int = 0, limit: int = 50) -> list[Record]:
    return list(parquet.read(parquet_path(studio, dataset), max(0, offset), max(0, limit)))


def ensure_samples(studio: Studio) -> list[Dataset]:
    """Import the sample data that comes with the studio, unless it is there; returns what was added."""
    files = sorted((bundled_folder() / "samples").glob("*.jsonl"))
    with studio.db.read() as session:
        there = set(session.scalars(select(Dataset.name).distinct()))
        gone = session.scalars(select(Deletion.name).where(Deletion.kind == "dataset"))
        # What somebody deleted does not come back by itself.
        there |= {name.rpartition("@")[0] for name in gone}
    return [import_file(studio, file).dataset for file in files if name_from(file.name) not in there]


# A day: the longest import takes hours.
def sweep_uploads(studio: Studio, older_than: float = 86_400.0) -> int:
    """Remove leftovers of imports untouched for ``older_than`` seconds, and old uploads; returns how many."""
    limit = time.time() - older_than
    removed = uploads.sweep(studio.settings)
    # From below, so that emptied folders can go.
    for folder, _, names in os.walk(studio.settings.uploads, topdown=False):
        below = Path(folder)
        if uploads.is_one(below):
            continue
        for path in (below / name for name in names):
            if path.lstat().st_mtime < limit:
                path.unlink(missing_ok=True)
                removed += 1
        if below != studio.settings.uploads and not any(below.iterdir()):
            below.rmdir()
    return removed
