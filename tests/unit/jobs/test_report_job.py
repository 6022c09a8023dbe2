"""A report as a job: made by the worker's code, stored by the engine's, read by page and command line."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from jobs.curation.main import main
from studio_core.base import atomic
from studio_core.base.errors import NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.curation import making
from studio_core.data import store
from studio_core.reports import features, judging
from studio_core.runs import run_folder
from studio_core.suites import SUITES


@pytest.fixture
def dataset(studio: Studio, tmp_path: Path) -> Dataset:
    rows: list[Any] = [
        {"prompt": f"What is {n} plus one, please?", "completion": f"It is {n + 1}, of course."}
        for n in range(8)
    ]
    rows += [
        rows[0],
        {"prompt": "", "completion": "x"},
        {"prompt": "Write to me", "completion": "To ann@example.org."},
    ]
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return store.import_file(studio, file).dataset


def carried_out(job: Job) -> dict[str, Any]:
    folder = Path(job.run_dir or "")
    folder.mkdir(parents=True)
    atomic.write_json(folder / run_folder.SPEC, job.spec["run"])
    main(folder)
    lines = (folder / run_folder.EVENTS).read_text().splitlines()
    return next(event for event in map(json.loads, lines) if event["type"] == "result")


def test_a_report_is_asked_for_once_stored_and_read(studio: Studio, dataset: Dataset) -> None:
    assert judging.stored_report(studio, dataset) is None
    with pytest.raises(NotFound, match="mine@1 has no report"):
        judging.rows_with(studio, dataset, "near_duplicate")
    job = making.ask_report(studio, dataset)
    again = making.ask_report(studio, dataset)
    assert job is not None and again is not None and job.id == again.id
    result = carried_out(job)
    assert result["counts"] == {"good": 8, "look": 2, "bad": 0}
    assert making.register_result(studio, job, result) == []
    report = judging.stored_report(studio, dataset)
    assert report is not None and report.rows == 10
    assert report.verdicts.rejected == 1 and [reason.first for reason in report.rejected] == [[10]]
    assert features.features_path(studio.settings.datasets / dataset.file).is_file()
    assert judging.rows_with(studio, dataset, "personal_data") == ([10], 1)
    assert judging.rows_with(studio, dataset, "exact_duplicate") == ([9], 1)
    assert judging.rows_with(studio, dataset, "look") == ([9, 10], 2)
    assert judging.rows_with(studio, dataset, "bad", 0, 5) == ([], 0)
    assert judging.about_rows(studio, dataset, [9])[9].repeats == 1
    assert [row for row, _ in judging.records_at(studio, dataset, [10, 9, 9, 99])] == [9, 10]
    with pytest.raises(NotFound, match="There is no check 'nothing'"):
        judging.rows_with(studio, dataset, "nothing")
    assert making.ask_report(studio, dataset) is None


def test_a_new_suite_makes_the_stored_report_an_old_one(studio: Studio, dataset: Dataset) -> None:
    job = making.ask_report(studio, dataset)
    assert job is not None
    making.register_result(studio, job, carried_out(job))
    assert making.ask_report(studio, dataset) is None
    studio.settings.suites.mkdir()
    question = "What is five plus one, please, and why is it so in every school of this wide world?"
    (studio.settings.suites / "school.jsonl").write_text(json.dumps({"question": question}) + "\n")
    fresh = making.ask_report(studio, dataset, others=["mine"])
    assert fresh is not None and fresh.id != job.id
    making.register_result(studio, fresh, carried_out(fresh))
    report = judging.stored_report(studio, dataset)
    assert report is not None
    own = [suite.name for suite in SUITES.values() if suite.source is None]
    assert [suite.name for suite in report.overlap.suites] == [*own, "school"]
    assert [(other.name, other.rows) for other in report.overlap.others] == [("mine@1", 10)]


def test_half_a_report_is_none(studio: Studio, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    job = making.ask_report(studio, dataset)
    assert job is not None
    monkeypatch.setattr(threading.Event, "is_set", lambda _: True)
    result = carried_out(job)
    assert result["state"] == "stopped" and "report" not in result and not result["side_files"]
    making.register_result(studio, job, result)
    assert judging.stored_report(studio, dataset) is None
