"""A version of a dataset as a file for other programs, alone or in a zip with its card."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, DatasetReport
from studio_core.data import cards, exports, versions
from studio_core.data.cards import Facts, Step
from studio_core.data.shapes import Shape
from studio_core.data.store import space_for

# A card is read by people.
_STEPS = 100
"""Versions of the lineage that a card lists."""


@dataclass(frozen=True)
class Exported:
    file: Path
    fit: exports.Fit


def look(
    studio: Studio, dataset: Dataset, format: str = "jsonl", layout: str = "trl", limit: int | None = None
) -> exports.Fit:
    """What an export would hold and what it could not; of the first ``limit`` rows, if it is given."""
    return exports.fit(_plan(studio, dataset, format, layout), limit)


def export(
    studio: Studio,
    dataset: Dataset,
    target: Path,
    format: str,
    *,
    layout: str = "trl",
    skip: bool = False,
    card: bool = False,
) -> Exported:
    """Write a version to ``target``: the whole file or nothing; with ``card`` a zip of it and its card.

    Records that do not fit raise, unless ``skip`` leaves them out.
    """
    target = target.expanduser().absolute()
    plan = _plan(studio, dataset, format, layout)
    try:
        with space_for(target.parent, target):
            if not card:
                return Exported(target, exports.write(plan, target, skip=skip))
            # Beside the target: the last rename must stay on one file system.
            with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as folder:
                data = Path(folder) / file_name(dataset, format, layout)
                fit = exports.write(plan, data, skip=skip)
                readme = Path(folder) / "README.md"
                readme.write_text(card_of(studio, dataset, fit, data.name), encoding="utf-8")
                _zip(Path(folder) / "export.zip", data, readme)
                os.replace(Path(folder) / "export.zip", target)
            return Exported(target, fit)
    except OSError as error:
        raise BadInput("data.export_failed", path=target, reason=error.strerror or str(error)) from error


def file_name(dataset: Dataset, format: str, layout: str) -> str:
    """Name of an exported file."""
    return f"{dataset.name}-v{dataset.version}{'' if layout == 'trl' else f'-{layout}'}.{format}"


def card_of(studio: Studio, dataset: Dataset, fit: exports.Fit, file: str, repo: str = "") -> str:
    """The card of an exported ``file``, or of the repository in which it lies."""
    plan = _plan(studio, dataset, fit.format, fit.layout)
    facts = Facts(
        file=file,
        repo=repo,
        sha256=dataset.sha256,
        fit=fit,
        columns=list(plan.table.columns),
        steps=_lineage(studio, dataset),
        report=_figures(studio, dataset),
        rejected=dataset.rejected_count,
    )
    return cards.card(facts)


def _plan(studio: Studio, dataset: Dataset, format: str, layout: str) -> exports.Plan:
    return exports.plan(versions.parquet_path(studio, dataset), Shape(dataset.shape), layout, format)


def _lineage(studio: Studio, dataset: Dataset) -> list[Step]:
    """The version, then those that it was made from, the nearest first."""
    waiting, seen = [dataset], {dataset.id}
    steps: list[Step] = []
    # Breadth first: the nearest ancestors are listed, if there are too many.
    while waiting and len(steps) < _STEPS:
        one = waiting.pop(0)
        steps.append(
            Step(
                one.name,
                one.version,
                one.rows,
                one.operation,
                one.source,
                dict(one.made.get("options") or {}),
                dict(one.made.get("counts") or {}),
            )
        )
        for parent in one.parents:
            if parent not in seen:
                seen.add(parent)
                waiting.append(versions.get(studio, int(parent)))
    return steps


def _figures(studio: Studio, dataset: Dataset) -> dict[str, Any]:
    """The newest report in a few lines: records by verdict, and how many have which finding."""
    newest = (
        select(DatasetReport)
        .where(DatasetReport.dataset_id == dataset.id)
        .order_by(DatasetReport.created_at.desc(), DatasetReport.tokenizer)
    )
    with studio.db.read() as session:
        stored = session.scalars(newest).first()
    if stored is None:
        return {}
    figures: dict[str, Any] = dict(stored.body.get("verdicts") or {})
    for finding in stored.body.get("findings") or []:
        if finding["rows"]:
            figures[finding["name"]] = finding["rows"]
    return figures


def _zip(target: Path, *files: Path) -> None:
    """A zip of these files that is the same whenever it is made."""
    with zipfile.ZipFile(target, "w") as archive:
        for file in files:
            # The earliest date that zip knows, and a fixed mode: the same bytes whenever it is made.
            info = zipfile.ZipInfo(file.name, date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            # Parquet is compressed already.
            info.compress_type = zipfile.ZIP_STORED if file.suffix == ".parquet" else zipfile.ZIP_DEFLATED
            # Zip64 from the start, since the size is not known when the header is written.
            with open(file, "rb") as source, archive.open(info, "w", force_zip64=True) as member:
                shutil.copyfileobj(source, member, 1 << 20)
