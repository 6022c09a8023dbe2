"""Stored reports on versions, and which records a finding is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from sqlalchemy import select

from studio_core.base.errors import NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, DatasetReport
from studio_core.data import versions
from studio_core.data.shapes import Record, without_nulls
from studio_core.reports import features
from studio_core.reports.document import Report
from studio_core.reports.findings import FINDINGS, Severity


def report_of(studio: Studio, dataset_id: int, model: str | None = None) -> DatasetReport | None:
    """The stored report of a version: the one with this tokenizer, or the newest."""
    query = select(DatasetReport).where(DatasetReport.dataset_id == dataset_id)
    if model is not None:
        query = query.where(DatasetReport.tokenizer == model)
    with studio.db.read() as session:
        return session.scalars(query.order_by(DatasetReport.created_at.desc())).first()


def stored_report(studio: Studio, dataset: Dataset, model: str | None = None) -> Report | None:
    """The report on a version: with this tokenizer, or the newest; with what the import left out."""
    kept = report_of(studio, dataset.id, model)
    if kept is None:
        return None
    return Report.model_validate(kept.body).with_rejected(dataset.rejected, dataset.rejected_count)


def records_at(studio: Studio, dataset: Dataset, rows: Sequence[int]) -> list[tuple[int, Record]]:
    """The records with these numbers (from 1), in order; only the parts of the file that hold them are read."""
    wanted = sorted(set(rows))
    found: list[tuple[int, Record]] = []
    with pq.ParquetFile(versions.parquet_path(studio, dataset)) as file:
        before = 0
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            here = [row for row in wanted if before < row <= before + count]
            if here:
                table = file.read_row_group(group).take([row - before - 1 for row in here])
                found += zip(here, map(without_nulls, table.to_pylist()), strict=True)
            before += count
    return found


def rows_with(
    studio: Studio, dataset: Dataset, which: str, offset: int = 0, limit: int = 50
) -> tuple[list[int], int]:
    """Row numbers that have a finding, or the verdict ``bad`` or ``look``: a page of them, how many in all."""
    by_severity = {
        at.value: [name for name, of in FINDINGS.items() if of is at] for at in (Severity.BAD, Severity.LOOK)
    }
    if which not in FINDINGS and which not in by_severity:
        known = ", ".join((*by_severity, *FINDINGS))
        raise NotFound("reports.unknown_finding", finding=which[:40], known=known)
    wanted = by_severity.get(which, [which])
    # A record has one verdict: what is bad is not also to be looked at.
    worse = by_severity[Severity.BAD] if which == Severity.LOOK else []
    return features.with_any(_features(studio, dataset), wanted, worse, max(0, offset), max(0, limit))


def about_rows(studio: Studio, dataset: Dataset, rows: Sequence[int]) -> dict[int, features.About]:
    """What the report found of these rows, by number."""
    return features.about(_features(studio, dataset), rows)


def _features(studio: Studio, dataset: Dataset) -> Path:
    path = features.features_path(versions.parquet_path(studio, dataset))
    if not path.is_file():
        raise NotFound("reports.not_made", dataset=f"{dataset.name}@{dataset.version}")
    return path
