"""Questions of a published suite from the Hub: what is asked for, and what becomes of what was fetched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio_core.base import clock
from studio_core.base.atomic import write_json
from studio_core.base.errors import BadInput, Conflict
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.curation import suite_fetching
from studio_core.runs.run_folder import FETCHED
from studio_core.suites import SUITES, adding


def ended(studio: Studio, job: Job, rows: int | None) -> None:
    """As the worker and the engine leave a job that fetched one record; ``rows``: it was stopped after so many."""
    folder = Path(job.run_dir or "")
    folder.mkdir(parents=True)
    record = {"question": "1+1?", "answer": "#### 2"}
    (folder / "rows.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    origin = {"hub": "openai/gsm8k", "rows": rows}
    write_json(folder / FETCHED, {"file": "rows.jsonl", "name": "gsm8k.jsonl", "origin": origin})
    with studio.db.write() as session:
        stored = session.get_one(Job, job.id)
        stored.state, stored.finished_at = State.SUCCEEDED, clock.now()


def test_the_whole_split_that_is_measured_on_is_fetched_and_added(studio: Studio) -> None:
    job = suite_fetching.fetch(studio, "gsm8k")
    options = job.spec["options"]
    assert (options["hub"], options["subset"], options["split"]) == ("openai/gsm8k", "main", "test")
    assert options["rows"] is None
    with pytest.raises(Conflict, match="no longer exists"):
        suite_fetching.add_fetched(studio, "gsm8k", job.id)
    ended(studio, job, None)
    assert suite_fetching.add_fetched(studio, "gsm8k", job.id) is SUITES["gsm8k"]
    assert adding.questions_here(studio, SUITES["gsm8k"]) == 1


def test_a_part_of_a_suite_is_not_added(studio: Studio) -> None:
    job = suite_fetching.fetch(studio, "gsm8k")
    ended(studio, job, 1)
    with pytest.raises(Conflict, match="stopped after 1 record: part of gsm8k"):
        suite_fetching.add_fetched(studio, "gsm8k", job.id)
    assert adding.questions_here(studio, SUITES["gsm8k"]) is None


def test_what_is_here_anyway_is_not_fetched(studio: Studio) -> None:
    with pytest.raises(BadInput, match="facts come with the installation"):
        suite_fetching.fetch(studio, "facts")
