"""The report on a version, its features file, and of a large version the index of its words."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from studio_core.browse.search_index import build_index, worth_it
from studio_core.curation.base import Work
from studio_core.reports.compute import compute

DOCUMENT = "report.json"
FEATURES = "features.parquet"
INDEX = "words.parquet"


class Stopped(Exception):
    """Half a report is none."""


def run(work: Work, options: dict[str, Any]) -> None:
    source = work.source
    model = work.models.get("model")

    def progress(done: int) -> None:
        if work.stopping():
            raise Stopped
        work.report(done, source.rows, {})

    try:
        report = compute(
            source.path,
            source.shape,
            work.folder / FEATURES,
            model=model,
            limit=int(options.get("limit") or 0),
            suites={name: Path(path) for name, path in options.get("suites", {}).items()},
            others={f"{other.name}@{other.version}": other.path for other in work.sources[1:]},
            progress=progress,
        )
    except Stopped:
        return
    (work.folder / DOCUMENT).write_text(report.model_dump_json(), encoding="utf-8")
    work.document = DOCUMENT
    work.side_files[FEATURES] = FEATURES
    if worth_it(source.path):
        # The report is made: who stops now keeps it, and searching reads everything.
        with suppress(Stopped):
            build_index(source.path, work.folder / INDEX, lambda done, rows: progress(rows))
            work.side_files[INDEX] = INDEX
    for verdict, rows in report.verdicts.model_dump(exclude={"rejected"}).items():
        work.count(verdict, rows)
