"""A report on records that a test writes down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from studio_core.data import parquet
from studio_core.data.shapes import Record, Shape
from studio_core.reports.compute import compute
from studio_core.reports.document import Report
from studio_core.reports.features import features_path


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def answered(prompt: str, answer: str) -> Record:
    return {"prompt": [user(prompt)], "completion": [assistant(answer)]}


def pair(prompt: str, chosen: str, rejected: str) -> Record:
    return {"prompt": [user(prompt)], "chosen": [assistant(chosen)], "rejected": [assistant(rejected)]}


def written(folder: Path, shape: Shape, records: list[Record], name: str = "data") -> Path:
    """A dataset's file as the import writes it."""
    path = folder / f"{name}.parquet"
    keep = [column for column in (records[0] if records else {}) if column not in ("prompt",)]
    with open(path, "w+b") as file:
        writer = parquet.Writer(file, shape, keep if shape is Shape.PROMPT_ONLY else ())
        for record in records:
            writer.add(record)
        writer.close()
    return path


def judged(
    folder: Path, shape: Shape, records: list[Record], **options: Any
) -> tuple[Report, list[dict[str, Any]]]:
    """The report, and the rows of the features file."""
    file = written(folder, shape, records)
    report = compute(file, shape, features_path(file), **options)
    assert Report.model_validate_json(report.model_dump_json()) == report
    rows = pq.read_table(features_path(file)).to_pylist()
    assert [row["row"] for row in rows] == list(range(1, len(records) + 1))
    return report, rows


def rows_of(report: Report, finding: str) -> list[int]:
    found = report.finding(finding)
    assert found is not None
    assert found.rows >= len(found.first)
    return found.first
