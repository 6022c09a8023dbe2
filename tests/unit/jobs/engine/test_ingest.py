from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.engine import ingest
from jobs.engine.ingest import Ingest
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import metrics, queue
from studio_core.runs.run_folder import EventWriter


@pytest.fixture
def job(studio: Studio) -> Job:
    job = queue.submit(studio, kind="train", name="x", spec={})
    Path(job.run_dir or "").mkdir()
    return job


def follow(studio: Studio, job: Job) -> Ingest:
    return Ingest(studio, job.id, Path(job.run_dir or ""), queue.get(studio, job.id).events_offset)


def report(events: EventWriter, *steps: int) -> None:
    for step in steps:
        events.write("metrics", step=step, values={"loss": 1.0})


def steps(studio: Studio, job: Job) -> list[int]:
    return [point.step for point in metrics.points(studio, job.id)]


def test_nothing_reported_yet(studio: Studio, job: Job) -> None:
    follow(studio, job).step()
    follow(studio, job).drain()
    assert steps(studio, job) == []


def test_news_are_stored_at_most_once_an_interval(
    studio: Studio, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = EventWriter(Path(job.run_dir or ""))
    follower = follow(studio, job)
    report(events, 1)
    follower.step()
    report(events, 2)
    follower.step()
    assert steps(studio, job) == [1]
    monkeypatch.setattr(ingest.time, "monotonic", lambda: 1e12)
    follower.step()
    assert steps(studio, job) == [1, 2]
    events.close()


def test_batches_are_bounded_and_another_engine_goes_on(
    studio: Studio, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "BATCH", 3)
    events = EventWriter(Path(job.run_dir or ""))
    report(events, *range(1, 11))
    follow(studio, job).step()
    assert steps(studio, job) == [1, 2, 3]
    follow(studio, job).drain()
    assert steps(studio, job) == list(range(1, 11))
    events.close()


def test_a_torn_line_waits_for_its_end(studio: Studio, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(job.run_dir or "") / "events.jsonl"
    line = json.dumps({"seq": 1, "at": "2026-01-01T00:00:00Z", "type": "metrics", "step": 1, "values": {}})
    path.write_text(line[:40])
    monkeypatch.setattr(ingest, "INTERVAL", 0.0)
    follower = follow(studio, job)
    follower.step()
    assert steps(studio, job) == []
    path.write_text(line + "\n")
    follower.step()
    assert steps(studio, job) == [1]
