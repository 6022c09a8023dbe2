"""A job on data on the Runs page: in the list of its kind, and on a page of its own."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.pages.runs import RunsPage
from app.parts import run_list
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.curation import making
from studio_core.data import store
from studio_core.runs import queue
from studio_core.runs.spec import DataSpec
from tests.unit.studio_core.curation.test_making import carried_out

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def job(studio: Studio, tmp_path: Path) -> Job:
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps({"text": HOSTILE + "x" * n}) + "\n" for n in range(10)))
    store.import_file(studio, file)
    options = {"min_characters": 30, "matching": HOSTILE[:8]}
    return making.submit(studio, DataSpec(operation="filter", datasets=["mine"], options=options))


def request(**query: str) -> Any:
    return SimpleNamespace(cookies={}, headers={"accept-language": "en"}, query_params=query)


def test_the_list_has_it_among_work_on_data_only(studio: Studio, job: Job) -> None:
    listed = run_list.jobs_page(studio, "en", "all", None, "data")
    assert "filter mine" in listed and "Filter ← mine@1" in listed and "Loss" not in listed
    trainings = run_list.jobs_page(studio, "en", "all", None, "train")
    assert "filter mine" not in trainings and 'href="/runs?kind=data"' in trainings


class Named(dict[str, Any]):
    """Parts of a page that are known by their names alone: handlers need no component."""

    def __missing__(self, name: str) -> str:
        return name


def test_its_page_says_what_it_made(studio: Studio, job: Job) -> None:
    page = RunsPage(studio, Named())
    opened = "".join(str(part) for part in page.opened(request(run=str(job.id))).values())
    assert "filter mine" in opened and "min_characters" in opened and "<script>" not in opened
    [made] = making.register_result(studio, job, carried_out(studio, job))
    opened = "".join(str(part) for part in page.opened(request(run=str(job.id))).values())
    assert f'href="/dataset?id={made.id}"' in opened and "mine@2 with 5 records" in opened
    assert "removed" in opened and "Too short" in opened and made.made["counts"] == {"kept": 5, "dropped": 5}


def test_it_resumes_from_its_page(studio: Studio, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.parts.run_watch.ensure_engine", lambda studio: None)
    queue.request_stop(studio, job.id, "cancel")
    page = RunsPage(studio, Named())
    cursor = page.opened(request(run=str(job.id)))["cursor"]
    assert page.run.resumed(request(), cursor, "key") == f"/runs?run={job.id + 1}"
