"""Trainings beside each other: curves over one axis, and where they were set otherwise."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from studio_core import training
from studio_core.base import clock
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.models import registry
from studio_core.runs import metrics, queue
from studio_core.runs.outline import STRETCH
from studio_core.training import comparison
from studio_core.training.comparison import Setting
from tests.unit.studio_core.training.runs import chat, checkpoint, imported, run_to, say, spec


@pytest.fixture
def two(studio: Studio, tmp_path: Path) -> list[Job]:
    registry.ensure_demo_models(studio)
    imported(studio, "sums", [chat(f"{n}?", f"{n}.") for n in range(60)], tmp_path)
    wishes: list[dict[str, Any]] = [{"learning_rate": 1e-4}, {"learning_rate": 3e-4, "batch_size": 2}]
    return [training.submit(studio, spec(options=wish)) for wish in wishes]


def report(studio: Studio, job: Job, steps: range, *, each: float = 2.0, **progress: float) -> None:
    """A report for each step, ``each`` seconds apart; ``progress`` is what one step adds."""
    start, offset, lines = clock.now(), 0, []
    with studio.db.write() as session:
        session.get_one(Job, job.id).started_at = start
    for seq, step in enumerate(steps, 1):
        far = {name: amount * step for name, amount in progress.items()}
        at = clock.iso(start + timedelta(seconds=seq * each))
        event = {"seq": seq, "at": at, "type": "metrics", "step": step, **far, "values": {"loss": 1.0 / step}}
        line = json.dumps(event).encode()
        offset += len(line) + 1
        lines.append((offset, line))
    metrics.store(studio, job.id, lines)


def test_curves_of_several_runs_stand_over_the_same_axis(studio: Studio, two: list[Job]) -> None:
    report(studio, two[0], range(1, 5), tokens=100, epoch=0.5)
    report(studio, two[1], range(1, 5), tokens=50, epoch=0.25, each=10.0)
    two = comparison.runs_of(studio, [job.id for job in two])
    one, other = two[0].id, two[1].id
    places = {
        by: {
            run: [place for place, _ in line]
            for run, line in comparison.curves(studio, two, by).lines["loss"].items()
        }
        for by in comparison.AXES
    }
    assert places["step"] == {one: [1, 2, 3, 4], other: [1, 2, 3, 4]}
    assert places["tokens"] == {one: [100, 200, 300, 400], other: [50, 100, 150, 200]}
    assert places["epoch"] == {one: [0.5, 1.0, 1.5, 2.0], other: [0.25, 0.5, 0.75, 1.0]}
    assert places["time"][one] == pytest.approx([2, 4, 6, 8])
    assert places["time"][other] == pytest.approx([10, 20, 30, 40])
    assert "num_tokens" not in comparison.curves(studio, two).lines  # How far it was is no measure.


def test_a_run_that_counts_no_tokens_is_named_and_not_drawn(studio: Studio, two: list[Job]) -> None:
    report(studio, two[0], range(1, 5), tokens=100)
    report(studio, two[1], range(1, 5))
    curves = comparison.curves(studio, two, "tokens")
    assert curves.without == [two[1].id]
    assert [*curves.lines["loss"]] == [two[0].id]


def test_a_long_run_is_thinned_and_keeps_its_course(studio: Studio, two: list[Job]) -> None:
    last = 60 * STRETCH
    report(studio, two[0], range(1, last + 1), tokens=10, each=1.0)
    [job] = comparison.runs_of(studio, [two[0].id])
    for by in ("tokens", "time"):
        line = comparison.curves(studio, [job] * 20, by).lines["loss"][job.id]
        assert len(line) < last / 4
        for place, value in line:
            assert value is not None
            assert place == pytest.approx((10 if by == "tokens" else 1) / value, rel=0.02)


def test_a_resumed_run_goes_on_where_the_earlier_one_was_left(studio: Studio, two: list[Job]) -> None:
    ended = run_to(studio, two[0], State.SUCCEEDED, steps=4)
    report(studio, ended, range(1, 1))
    checkpoint(ended, 4)
    going = training.resume(studio, ended.id)
    report(studio, going, range(5, 7), each=3.0)
    seconds = training.seconds_at(studio, queue.get(studio, going.id))
    assert [step for step, _ in seconds] == [1, 2, 3, 4, 5, 6]
    passed = seconds[3][1]
    assert [at for _, at in seconds[4:]] == pytest.approx([passed + 3, passed + 6])


def test_settings_are_nested_and_tell_what_differs(studio: Studio, two: list[Job]) -> None:
    settings = {entry.path: entry for entry in comparison.settings(two)}
    assert settings["options", "learning_rate"].values == (1e-4, 3e-4)
    differing = {path for path, entry in settings.items() if not entry.same}
    assert differing == {("options", "learning_rate"), ("options", "batch_size")}
    assert settings[("method",)] == Setting(("method",), ("sft", "sft"))
    groups = [path[0] for path in settings if len(path) > 1]
    assert groups == sorted(groups, key=groups.index)  # Those of a group stand beside each other.


def test_rewards_differ_by_their_place_and_name(two: list[Job]) -> None:
    for job, weights in zip(two, ([1.0], [1.0, 0.5]), strict=True):
        job.spec = {**job.spec, "rewards": [{"name": "answer", "weight": w, "options": {}} for w in weights]}
    differing = [entry for entry in comparison.settings(two) if not entry.same and entry.path[0] == "rewards"]
    assert [(entry.path, entry.values) for entry in differing] == [
        (("rewards", "2", "name"), (None, "answer")),
        (("rewards", "2", "weight"), (None, 0.5)),
    ]


def test_the_newest_answers_to_a_prompt_stand_together(studio: Studio, two: list[Job]) -> None:
    say(studio, two[0], [("before", 0, "Hm."), ("after", 4, "A model.")])
    say(studio, two[1], [("before", 0, "Hm.")])
    [(prompt, given)] = comparison.answers(studio, two)
    assert prompt == "Who?"
    assert {run: answer["answer"] for run, answer in given.items()} == {
        two[0].id: "A model.",
        two[1].id: "Hm.",
    }


def test_only_so_many_trainings_are_compared(studio: Studio, two: list[Job]) -> None:
    ids = [job.id for job in two]
    assert [job.id for job in comparison.runs_of(studio, [*ids, ids[0]])] == ids
    with pytest.raises(BadInput, match="21 runs are too many"):
        comparison.runs_of(studio, range(1, 22))
    with pytest.raises(NotFound):
        comparison.runs_of(studio, [999])
    other = queue.submit(studio, kind="data", name="report", spec={})
    with pytest.raises(BadInput):
        comparison.runs_of(studio, [two[0].id, other.id])
    with pytest.raises(BadInput, match="step, tokens, time, epoch"):
        comparison.axis("place")
