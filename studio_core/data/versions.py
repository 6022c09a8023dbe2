"""Rows of datasets: a complete file becomes a version, and versions are found by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from studio_core.base.atomic import sync_folder
from studio_core.base.errors import NotFound, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Mark
from studio_core.data.shapes import Shape
from studio_core.runs.spec import ResolvedDataset


@dataclass(frozen=True)
class Made:
    """What is known of a new version besides its file."""

    name: str
    shape: Shape
    rows: int
    sha256: str
    source: str
    mapping: dict[str, Any] = field(default_factory=dict)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    rejected_count: int = 0
    operation: str = "import"
    parents: Sequence[int] = ()
    made: dict[str, Any] = field(default_factory=dict)
    job_id: int | None = None


def add(studio: Studio, partial: Path, made: Made) -> tuple[Dataset, bool]:
    """Rename the complete, synced file to its hash, then write the row that makes it a version.

    The same records under the same name again are the existing version: then the second value is False.
    """
    final = studio.settings.datasets / f"{made.sha256}.parquet"
    size = partial.stat().st_size
    # The name is the hash: a file that is there has these very records,
    # perhaps under another dataset's name.
    known = final.exists()
    # The file before the row: see the head of ``store``.
    os.replace(partial, final)
    sync_folder(final.parent)
    try:
        return _row(studio, made, final, size)
    except BaseException:
        if not known:
            final.unlink(missing_ok=True)
        raise


def _row(studio: Studio, made: Made, final: Path, size: int) -> tuple[Dataset, bool]:
    with studio.db.write() as session:
        same = select(Dataset).where(Dataset.name == made.name, Dataset.sha256 == made.sha256)
        existing = session.scalars(same).first()
        if existing is not None:
            return existing, False
        # Under the write lock, so that two imports do not become one version.
        newest = session.scalar(select(func.max(Dataset.version)).where(Dataset.name == made.name)) or 0
        dataset = Dataset(
            name=made.name,
            version=newest + 1,
            shape=made.shape.value,
            rows=made.rows,
            rejected=made.rejected,
            rejected_count=made.rejected_count,
            sha256=made.sha256,
            file=final.name,
            bytes=size,
            source=made.source,
            mapping=made.mapping,
            operation=made.operation,
            parents=list(made.parents),
            made=made.made,
            job_id=made.job_id,
        )
        session.add(dataset)
    return dataset, True


def get(studio: Studio, dataset: str | int) -> Dataset:
    """A dataset by id, by ``name`` (its newest version) or by ``name@version``."""
    with studio.db.read() as session:
        if isinstance(dataset, int):
            found = session.get(Dataset, dataset)
        else:
            name, at, version = dataset.strip().rpartition("@")
            query = select(Dataset).order_by(Dataset.version.desc())
            if at:
                number = _number(version)
                query = query.where(Dataset.name == name, Dataset.version == (number or -1))
            else:
                query = query.where(Dataset.name == version)
            found = session.scalars(query).first()
            # The name first: a dataset may be called "7".
            if found is None and not at and (number := _number(version)) is not None:
                found = session.get(Dataset, number)
    if found is None:
        raise NotFound("data.dataset_not_found", dataset=str(dataset)[:100])
    return found


def _number(text: str) -> int | None:
    # Below 10^15, since SQLite's numbers end at 63 bits.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def all_datasets(studio: Studio) -> list[Dataset]:
    """All versions of all datasets, newest first."""
    with studio.db.read() as session:
        return list(session.scalars(select(Dataset).order_by(Dataset.id.desc())))


def offered(studio: Studio, also: str = "") -> list[Dataset]:
    """What there is to choose from: all but the archived, and the one of ``also``, a name with or without version."""
    with studio.db.read() as session:
        mark = select(Mark.row_id).where(Mark.table == Dataset.__tablename__, Mark.archived)
        away = set(session.scalars(mark))
    return [
        one
        for one in all_datasets(studio)
        if one.id not in away or also in (one.name, f"{one.name}@{one.version}")
    ]


def of_job(studio: Studio, job_id: int) -> list[Dataset]:
    """The versions that a job has made."""
    with studio.db.read() as session:
        return list(session.scalars(select(Dataset).where(Dataset.job_id == job_id).order_by(Dataset.id)))


def parquet_path(studio: Studio, dataset: Dataset) -> Path:
    """The dataset's file; raises if it is gone."""
    path = studio.settings.datasets / dataset.file
    if not path.is_file():
        raise StudioError(
            "data.file_gone", dataset=f"{dataset.name}@{dataset.version}", path=path, source=dataset.source
        )
    return path


def resolve_dataset(studio: Studio, dataset: Dataset) -> ResolvedDataset:
    """The version as a worker is told of it, which has no database; raises if its file is gone."""
    return ResolvedDataset(
        id=dataset.id,
        name=dataset.name,
        version=dataset.version,
        shape=dataset.shape,
        rows=dataset.rows,
        path=str(parquet_path(studio, dataset)),
        sha256=dataset.sha256,
    )


def side_file(studio: Studio, dataset: Dataset, what: str) -> Path:
    """Where a side file of a version lies, such as ``features.parquet``; it may not be there."""
    return studio.settings.datasets / f"{dataset.sha256}.{what}"
