"""The report of a large version brings the index of its words with it; who stops then keeps the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.curation import report
from studio_core.browse import search_index
from studio_core.curation.base import Source, Work
from studio_core.data import parquet
from studio_core.data.shapes import Shape


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setattr(search_index, "WORTH_IT", 10)
    path = tmp_path / "records.parquet"
    with open(path, "w+b") as file:
        writer = parquet.Writer(file, Shape.TEXT)
        for number in range(20):
            writer.add({"text": f"record number {number} of a few"})
        writer.close()
    return Source(1, "mine", 1, Shape.TEXT, 20, path)


@pytest.mark.parametrize("stops", [False, True])
def test_a_large_version_is_indexed(source: Source, tmp_path: Path, stops: bool) -> None:
    folder = tmp_path / "run"
    folder.mkdir()

    def stopping() -> bool:
        return stops and (folder / report.DOCUMENT).exists()

    work = Work(folder, [source], seed=0, report=lambda *_: None, stopping=stopping)
    report.run(work, {})
    assert work.document == report.DOCUMENT
    kept = {report.FEATURES} if stops else {report.FEATURES, report.INDEX}
    assert set(work.side_files) == kept
    assert (folder / report.INDEX).exists() is not stops
