"""Sweeps: a training over values of its options, as ordinary jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from studio_core import training
from studio_core.base.errors import BadInput, Conflict, NotFound, StudioError
from studio_core.base.states import Cause, State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Device, Job
from studio_core.data import store
from studio_core.keeping import deleting, marks
from studio_core.keeping.datasets import DATASETS
from studio_core.models import registry
from studio_core.runs import metrics, queue
from studio_core.training import standings, sweeps
from tests.unit.studio_core.runs.test_metrics import lines
from tests.unit.studio_core.training.runs import chat, checkpoint, imported, spec

GRID = {"learning_rate": [1e-4, 3e-4, 1e-3], "batch_size": [2, 4]}


@pytest.fixture
def studio_with_sums(studio: Studio, tmp_path: Path) -> Studio:
    registry.ensure_demo_models(studio)
    imported(studio, "sums", [chat(f"{n}?", f"{n}.") for n in range(60)], tmp_path)
    return studio


def wish(values: dict[str, list[Any]], **more: Any) -> sweeps.SweepSpec:
    return sweeps.spec_of(spec(options={"epochs": 1}), values, **more)


def reported(studio: Studio, job: Job, steps: int, loss: float, slots: int = 30) -> None:
    """The run goes on, and has reported a loss at each of its steps."""
    devices = [Device(id=f"cpu:{n}", kind="cpu", label="CPU", memory=0) for n in range(slots)]
    queue.set_devices(studio, devices)
    claimed = queue.claim(studio, job.id, [f"cpu:{job.id % slots}"])
    assert claimed is not None
    queue.mark_running(studio, claimed)
    told = [
        {
            "seq": n,
            "at": "2026-11-21T08:00:00Z",
            "type": "metrics",
            "step": n,
            "total_steps": 90,
            "values": {"loss": loss},
        }
        for n in range(1, steps + 1)
    ]
    metrics.store(studio, job.id, lines(*told))


def test_a_grid_is_every_value_with_every_other_and_a_list_goes_together() -> None:
    assert [*map(tuple, (one.values() for one in sweeps.combinations(wish(GRID))))] == [
        (1e-4, 2), (1e-4, 4), (3e-4, 2), (3e-4, 4), (1e-3, 2), (1e-3, 4)
    ]  # fmt: skip
    listed = wish({"learning_rate": [1e-4, 3e-4], "batch_size": [2, 4]}, pairing="list")
    assert sweeps.combinations(listed) == [
        {"learning_rate": 1e-4, "batch_size": 2},
        {"learning_rate": 3e-4, "batch_size": 4},
    ]
    with pytest.raises(BadInput, match="learning_rate: 3, batch_size: 2"):
        sweeps.combinations(wish(GRID, pairing="list"))


def test_seeds_are_counted_and_not_tried() -> None:
    with pytest.raises(BadInput, match="how many seeds"):
        sweeps.combinations(wish({"seed": [1, 2]}))


@pytest.mark.parametrize("values", [{}, {"learning_rate": []}])
def test_a_sweep_of_nothing_is_none(values: dict[str, list[Any]]) -> None:
    with pytest.raises(BadInput, match="needs an option with values"):
        sweeps.combinations(wish(values))


def test_values_are_read_line_by_line() -> None:
    assert sweeps.read("learning_rate = 1e-4, 0.0003\n\n tuning= lora ,full") == {
        "learning_rate": ["1e-4", 0.0003],
        "tuning": ["lora", "full"],
    }
    assert wish({"learning_rate": ["1e-4"]}).values == {
        "learning_rate": [1e-4]
    }  # YAML takes that for a word.
    for line in ("learning_rate", "learning_rate =", "x = [1"):
        with pytest.raises(BadInput, match="not an option with values"):
            sweeps.read(line)


def test_the_plan_tells_runs_time_and_disk_and_starts_nothing(studio_with_sums: Studio) -> None:
    studio = studio_with_sums
    told = sweeps.plan(studio, wish(GRID, seeds=2))
    assert len(told.runs) == 12 and told.ready
    one = training.plan(studio, told.runs[0][1])
    assert told.disk == 12 * one.disk and told.seconds is not None and told.seconds > 6 * (one.seconds or 0)
    assert [run.seed for _, run in told.runs[:4]] == [0, 1, 0, 1]
    assert queue.all_jobs(studio) == []
    odd = sweeps.plan(studio, wish({"learning_rate": [1e-4, -1.0]}))
    [(values, problem)] = odd.problems
    assert values == {"learning_rate": -1.0} and "-1" in problem.sentence()
    with pytest.raises(BadInput):
        sweeps.start(studio, wish({"learning_rate": [1e-4, -1.0]}))
    assert queue.all_jobs(studio) == []  # All of it or nothing.
    with pytest.raises(BadInput, match="300 runs"):
        sweeps.plan(studio, wish({"batch_size": [*range(1, 16)]}, seeds=20))


def test_a_sweep_is_ordinary_jobs_and_one_click_is_one_sweep(studio_with_sums: Studio) -> None:
    studio = studio_with_sums
    name = sweeps.start(studio, wish({**GRID, "tuning": ["lora"]}), key="0123abcd")
    assert sweeps.start(studio, wish({**GRID, "tuning": ["lora"]}), key="0123abcd") == name
    jobs = sweeps.jobs(studio, name)
    assert [job.id for job in jobs] == sorted(job.id for job in queue.all_jobs(studio)) and len(jobs) == 6
    assert [job.spec["run"]["options"]["batch_size"] for job in jobs] == [2, 4] * 3
    assert {job.spec["tuning"] for job in jobs} == {"lora"}
    assert len({job.name for job in jobs}) == 6
    assert training.spec_of(jobs[0]).options["learning_rate"] == 1e-4  # It can be duplicated like any other.
    assert [found for found, _ in sweeps.newest(studio)] == [name]
    for unknown in ("4711", "ffffffff", "../x"):
        with pytest.raises(NotFound):
            sweeps.jobs(studio, unknown)


def test_the_best_stands_first_with_its_spread_over_seeds(studio_with_sums: Studio) -> None:
    studio = studio_with_sums
    jobs = sweeps.jobs(studio, sweeps.start(studio, wish({"learning_rate": [1e-4, 3e-4, 1e-3]}, seeds=2)))
    for job, loss in zip(jobs, (2.0, 2.2, 1.0, 1.4), strict=False):
        reported(studio, job, 30, loss)
    table = standings.table(studio, sweeps.jobs(studio, jobs[0].spec["sweep"]["id"]))
    assert (table.metric, table.lower, table.step) == ("loss", True, 30)
    assert [row.values["learning_rate"] for row in table.rows] == [3e-4, 1e-4, 1e-3]
    assert [row.mean for row in table.rows] == [pytest.approx(1.2), pytest.approx(2.1), None]
    assert table.rows[0].spread == pytest.approx(0.2828, rel=1e-3)
    with pytest.raises(BadInput, match="Choose one of: loss"):
        standings.table(studio, sweeps.jobs(studio, jobs[0].spec["sweep"]["id"]), "reward")


def test_runs_that_go_on_are_compared_at_the_same_step(studio_with_sums: Studio) -> None:
    studio = studio_with_sums
    name = sweeps.start(studio, wish({"learning_rate": [1e-4, 3e-4]}))
    slow, quick = sweeps.jobs(studio, name)
    reported(studio, slow, 5, 2.0)
    reported(studio, quick, 50, 3.0)
    with studio.db.write() as session:  # Far ahead it is better, at the same step it was not.
        session.execute(
            text('UPDATE metric SET "values" = \'{"loss": 0.1}\' WHERE job_id = :id AND step > 5'),
            {"id": quick.id},
        )
    table = standings.table(studio, sweeps.jobs(studio, name))
    assert table.step == 5
    assert [row.jobs[0].id for row in table.rows] == [slow.id, quick.id]


def test_losers_are_stopped_and_what_has_no_value_goes_on(studio_with_sums: Studio) -> None:
    studio = studio_with_sums
    name = sweeps.start(studio, wish({"learning_rate": [1e-4, 3e-4, 1e-3, 3e-3]}))
    best, second, third, waiting = sweeps.jobs(studio, name)
    for job, loss in ((best, 1.0), (second, 2.0), (third, 3.0)):
        reported(studio, job, 10, loss)
    stopped = standings.stop_losers(studio, sweeps.jobs(studio, name), keep=1)
    assert {job.id for job in stopped} == {second.id, third.id}
    assert queue.get(studio, best.id).stop_request is None
    assert queue.get(studio, waiting.id).state == State.QUEUED
    with pytest.raises(Conflict, match="Nothing to stop"):  # They are being stopped already.
        standings.stop_losers(studio, sweeps.jobs(studio, name), keep=1)
    with pytest.raises(BadInput):
        standings.stop_losers(studio, sweeps.jobs(studio, name), keep=0)


def test_the_winner_is_cloned_with_a_change_while_others_go_on(studio_with_sums: Studio) -> None:
    studio = studio_with_sums
    name = sweeps.start(studio, wish({"learning_rate": [1e-4, 3e-4]}))
    best = sweeps.jobs(studio, name)[1]
    new = sweeps.clone(studio, name, best.id, {"learning_rate": "2e-4"})
    assert sweeps.jobs(studio, name)[-1].id == new.id
    assert new.spec["sweep"]["values"] == {"learning_rate": 2e-4}
    assert new.spec["run"]["options"]["learning_rate"] == 2e-4
    again = sweeps.clone(studio, name, best.id, {"seed": 5})
    assert again.spec["seed"] == 5 and again.spec["sweep"]["values"] == best.spec["sweep"]["values"]
    warm = sweeps.clone(studio, name, best.id, {"warmup": 0.2})
    rows = standings.table(studio, sweeps.jobs(studio, name)).rows
    known = {job.id: row.values["warmup"] for row in rows for job in row.jobs}
    assert known[warm.id] == 0.2 and known[best.id] == best.spec["run"]["options"]["warmup"] != 0.2
    other = training.submit(studio, spec())
    for run, changes in ((other.id, {"seed": 1}), (best.id, {})):
        with pytest.raises(BadInput):
            sweeps.clone(studio, name, run, changes)


def test_a_run_that_was_resumed_stays_in_its_sweep(studio_with_sums: Studio) -> None:
    studio = studio_with_sums
    name = sweeps.start(studio, wish({"learning_rate": [1e-4, 3e-4]}))
    first = sweeps.jobs(studio, name)[0]
    reported(studio, first, 10, 1.0)
    checkpoint(queue.get(studio, first.id), 10)
    queue.finish(studio, queue.get(studio, first.id), State.FAILED, Cause.KILLED)
    resumed = training.resume(studio, first.id)
    assert sweeps.jobs(studio, name)[0].id == resumed.id
    assert sweeps.sweep_of(resumed) == name


def over(studio: Studio, job: Job, loss: float | None, state: State = State.SUCCEEDED) -> Job | None:
    """The run comes to a loss and ends, as the engine would have it; the run that follows."""
    if loss is not None:
        reported(studio, job, 3, loss, slots=1)  # One at a time.
    ending = queue.get(studio, job.id)
    following = sweeps.go_on(studio, ending, state)
    if queue.get(studio, job.id).state != State.QUEUED:
        queue.finish(studio, ending, state)
    else:
        queue.request_stop(studio, job.id, Stop.CANCEL)
    return following


def test_tpe_queues_a_few_runs_and_each_other_when_one_ends(studio_with_sums: Studio) -> None:
    studio = studio_with_sums
    asked = wish({"learning_rate": ["1e-5..1e-2"]}, pairing="tpe", trials=6)
    told = sweeps.plan(studio, asked)
    assert (len(told.runs), told.later, told.ready) == (3, 3, True)
    one = training.plan(studio, told.runs[0][1])
    assert told.disk == 6 * one.disk
    name = sweeps.start(studio, asked)
    assert sweeps.start(studio, asked, key=name) == name
    first, second, third = sweeps.jobs(studio, name)
    assert over(studio, first, 2.0) is None  # Others wait still: what they come to is of use first.
    assert over(studio, second, 1.0) is None
    ending = queue.get(studio, third.id)
    fourth = over(studio, third, 3.0)
    assert fourth is not None and fourth.spec["sweep"]["after"] == third.id
    values = fourth.spec["sweep"]["values"]
    assert 1e-5 <= values["learning_rate"] <= 1e-2
    assert fourth.spec["run"]["options"]["learning_rate"] == values["learning_rate"]
    # An engine that died before it had stored the end asks again.
    assert sweeps.go_on(studio, ending, State.SUCCEEDED) is None
    fifth = over(studio, fourth, None, State.FAILED)
    assert fifth is not None
    sixth = over(studio, fifth, 0.5)
    assert sixth is not None and over(studio, sixth, 0.4) is None  # That is all.
    assert [job.id for job in sweeps.jobs(studio, name)][-1] == sixth.id and len(
        sweeps.jobs(studio, name)
    ) == 6


def test_a_draw_that_its_plan_refuses_is_drawn_anew(studio_with_sums: Studio, tmp_path: Path) -> None:
    studio = studio_with_sums
    others = imported(studio, "others", [chat(f"{n}?", f"{n + 1}.") for n in range(60)], tmp_path)
    values = {"learning_rate": ["1e-5..1e-2"], "dataset": ["sums", "others"]}
    asked = wish(values, pairing="tpe", trials=9)
    jobs = sweeps.jobs(studio, sweeps.start(studio, asked))
    first, second, following = sorted(jobs, key=lambda job: job.spec["sweep"]["values"]["dataset"] == "sums")
    assert over(studio, first, 1.0) is over(studio, second, 1.0) is None
    deleting.remove(studio, DATASETS, [others.id])
    for _ in range(4):
        drawn = over(studio, following, 1.0)
        assert drawn is not None and drawn.spec["sweep"]["values"]["dataset"] == "sums"
        following = drawn
    queue.request_stop(studio, following.id, Stop.CANCEL)
    deleting.remove(studio, DATASETS, [store.get(studio, "sums").id])
    with pytest.raises(StudioError, match=r"sums|others"):
        sweeps.go_on(studio, following, State.FAILED)


def test_a_dataset_that_gets_another_name_stays_in_its_sweep(studio_with_sums: Studio) -> None:
    studio = studio_with_sums
    values = {"learning_rate": ["1e-5..1e-2"], "dataset": ["sums"], "tuning": ["full"]}
    jobs = sweeps.jobs(studio, sweeps.start(studio, wish(values, pairing="tpe", trials=4)))
    marks.rename(studio, DATASETS, store.get(studio, "sums").id, "full")
    for job in jobs[:2]:
        over(studio, queue.get(studio, job.id), 1.0)
    fourth = over(studio, queue.get(studio, jobs[2].id), 1.0)
    assert fourth is not None
    # The way of tuning, which has that name too, is left alone.
    for job in (queue.get(studio, jobs[0].id), fourth):
        tried = job.spec["sweep"]["values"]
        assert (tried["dataset"], tried["tuning"]) == ("full", "full")
    marks.rename(studio, DATASETS, store.get(studio, "full").id, "sums")
    tried = queue.get(studio, fourth.id).spec["sweep"]["values"]
    assert (tried["dataset"], tried["tuning"]) == ("sums", "full")


def test_a_sweep_that_is_cancelled_or_fails_thrice_draws_no_more(studio_with_sums: Studio) -> None:
    studio = studio_with_sums
    asked = wish({"learning_rate": ["1e-5..1e-2"]}, pairing="tpe", trials=9)
    jobs = sweeps.jobs(studio, sweeps.start(studio, asked))
    assert [over(studio, job, 1.0, State.CANCELLED) for job in jobs] == [None, None, None]
    jobs = sweeps.jobs(studio, sweeps.start(studio, asked))
    for job in jobs[:2]:
        assert over(studio, job, 1.0, State.FAILED) is None
    assert over(studio, jobs[2], 1.0, State.FAILED) is None
    plain = sweeps.jobs(
        studio, sweeps.start(studio, wish({"learning_rate": ["1e-5..1e-2"]}, pairing="random"))
    )
    assert len(plain) == 20 and over(studio, plain[0], 1.0) is None
    with pytest.raises(BadInput, match="takes one seed"):
        sweeps.plan(studio, wish({"learning_rate": ["1e-5..1e-2"]}, pairing="tpe", seeds=2))
    with pytest.raises(BadInput, match="only TPE and random"):
        sweeps.plan(studio, wish({"learning_rate": ["1e-5..1e-2"]}))
