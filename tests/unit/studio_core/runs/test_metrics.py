from __future__ import annotations

import json
from typing import Any

import pytest

from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import metrics, queue

AT = "2026-11-21T08:30:00.000000Z"


@pytest.fixture
def job(studio: Studio) -> Job:
    return queue.submit(studio, kind="train", name="x", spec={})


def lines(*events: dict[str, Any] | bytes, start: int = 0) -> list[tuple[int, bytes]]:
    """Each as ``new_lines`` gives it: with the offset after it."""
    found = []
    for event in events:
        line = event if isinstance(event, bytes) else json.dumps(event).encode()
        start += len(line) + 1
        found.append((start, line))
    return found


def metric(seq: int, step: int, **values: object) -> dict[str, Any]:
    return {"seq": seq, "at": AT, "type": "metrics", "step": step, "total_steps": 10, "values": values}


def test_points_are_stored_in_order_with_the_newest_values_on_the_row(studio: Studio, job: Job) -> None:
    metrics.store(studio, job.id, lines(metric(1, 1, loss=2.0, lr=0.1), metric(2, 2, loss=1.0)))
    assert [(p.step, p.values["loss"]) for p in metrics.points(studio, job.id)] == [(1, 2.0), (2, 1.0)]
    assert [p.seq for p in metrics.points(studio, job.id, after_seq=1)] == [2]
    row = queue.get(studio, job.id)
    assert (row.step, row.total_steps, row.latest) == (2, 10, {"loss": 1.0, "lr": 0.1})


def test_the_same_lines_again_change_nothing(studio: Studio, job: Job) -> None:
    first = lines(metric(1, 1, loss=2.0), metric(2, 2, loss=1.0))
    metrics.store(studio, job.id, first)
    assert metrics.store(studio, job.id, first) == []
    metrics.store(studio, job.id, [*first, *lines(metric(3, 3, loss=0.5), start=first[-1][0])])
    assert [p.step for p in metrics.points(studio, job.id)] == [1, 2, 3]


def test_what_is_no_event_is_passed_over(studio: Studio, job: Job) -> None:
    bad: list[Any] = [
        b"",
        b"{torn",
        b"[1, 2]",
        b'"text"',
        b"null",
        b"\xff\xfe",
        {"seq": 1, "type": "metrics"},
        {"seq": 2, "at": AT, "type": "metrics", "step": "one", "values": {}},
        {"seq": 3, "at": AT, "type": "metrics", "step": 1, "values": [1]},
        {"seq": "four", "at": AT, "type": "phase", "phase": "training"},
        {"seq": 5, "at": "yesterday", "type": "phase", "phase": "training"},
        {"seq": 6, "at": 6, "type": "phase", "phase": "training"},
        {"seq": 7, "at": AT, "type": ["phase"]},
        {"seq": 8, "at": AT, "type": "config", "values": None},
    ]
    given = lines(*bad, metric(9, 1, loss=1.0))
    assert len(metrics.store(studio, job.id, given)) == 1
    row = queue.get(studio, job.id)
    assert (row.step, row.phase, row.events_offset) == (1, None, given[-1][0])


def test_values_that_are_not_finite_are_null(studio: Studio, job: Job) -> None:
    line = json.dumps(metric(1, 1, a=float("nan"), b=float("inf"), c="text", d=1, e=None)).encode()
    metrics.store(studio, job.id, lines(line))
    [point] = metrics.points(studio, job.id)
    assert point.values == {"a": None, "b": None, "c": None, "d": 1.0, "e": None}


def test_phase_config_and_notes(studio: Studio, job: Job) -> None:
    metrics.store(
        studio,
        job.id,
        lines(
            {"seq": 1, "at": AT, "type": "phase", "phase": "loading"},
            {"seq": 2, "at": AT, "type": "config", "values": {"device": "cpu"}},
            {"seq": 3, "at": AT, "type": "sample", "step": 0, "when": "before", "index": 0, "answer": "no"},
            {"seq": 4, "at": AT, "type": "error", "cause": "error", "message": "bad"},
            {"seq": 5, "at": AT, "type": "result", "state": "succeeded"},
        ),
    )
    row = queue.get(studio, job.id)
    assert (row.phase, row.resolved) == ("loading", {"device": "cpu"})
    assert [note.body["answer"] for note in metrics.notes(studio, job.id, "sample")] == ["no"]
    assert [note.body["message"] for note in metrics.notes(studio, job.id, "error")] == ["bad"]


def test_nothing_new_is_nothing_to_do(studio: Studio, job: Job) -> None:
    assert metrics.store(studio, job.id, []) == []
