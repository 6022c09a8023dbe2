"""Faults 1, 2, 13, 14, 16, 17, 18: the engine dies, is doubled, is paused, or cannot write."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys

import pytest

from studio_core.base import atomic
from studio_core.base.db import connect
from studio_core.base.states import Cause, State
from studio_core.base.tables import Job
from studio_core.models import registry
from studio_core.runs import metrics, queue, run_folder
from studio_core.runs.engine_process import LOCK, engine_alive
from tests.conftest import wait_until
from tests.faults.conftest import EngineProcess, alive, folder, supervisor_pid, worker_pids

STEPS = 60


def steps_of(engine: EngineProcess, job_id: int) -> list[int]:
    return [point.step for point in metrics.points(engine.studio, job_id)]


def test_1_a_run_goes_on_while_the_engine_is_dead_and_is_adopted(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(
        steps=STEPS, pause=0.2
    )  # 12 s: longer than an engine takes to start on a busy machine.
    engine.wait_for_step(job, 5)
    [worker] = worker_pids(job)
    engine.kill()
    known = engine.job(job).step
    reported = folder(job) / run_folder.EVENTS
    wait_until(lambda: reported.read_bytes().count(b'"metrics"') > known + 5, what="the run goes on")
    assert engine.job(job).state == "running"
    engine.start()
    wait_until(lambda: engine.job(job).step > known, what="it is adopted")
    assert alive(worker)
    engine.wait_for(job, "succeeded")
    assert steps_of(engine, job.id) == list(range(1, STEPS + 1))
    assert worker_pids(job) == [worker]
    assert [event.after for event in queue.events(engine.studio, job.id)].count("running") == 1


def test_1_a_run_that_ended_while_the_engine_was_dead_is_finished_from_its_exit_record(
    engine: EngineProcess,
) -> None:
    engine.start()
    job = engine.submit(steps=STEPS, pause=0.01)
    engine.wait_for_step(job, 1)
    engine.kill()
    wait_until(lambda: atomic.read_json(folder(job) / run_folder.EXIT), what="the run ends by itself")
    engine.start()
    engine.wait_for(job, "succeeded")
    assert steps_of(engine, job.id) == list(range(1, STEPS + 1))


POINTS = [
    ("after", "studio_core.runs.queue:claim"),
    ("before", "jobs.engine.launcher:LocalLauncher.start"),
    ("after", "jobs.engine.launcher:LocalLauncher.start"),
    ("before", "studio_core.runs.queue:mark_running"),
    ("after", "studio_core.runs.queue:mark_running"),
    ("before", "studio_core.runs.metrics:store"),
    ("after", "studio_core.runs.metrics:store"),
    ("before", "studio_core.runs.queue:finish"),
    ("after", "studio_core.runs.queue:finish"),
]


@pytest.mark.parametrize(("when", "place"), POINTS)
def test_2_a_crash_at_any_commit_loses_and_doubles_nothing(
    engine: EngineProcess, when: str, place: str
) -> None:
    job = engine.submit(steps=10, pause=0.02)
    engine.start_to_crash(when, place)
    engine.start()
    engine.wait_for(job, "succeeded")
    assert steps_of(engine, job.id) == list(range(1, 11))
    assert len(worker_pids(job)) == 1
    terminal = [e for e in queue.events(engine.studio, job.id) if e.after == State.SUCCEEDED]
    assert len(terminal) == 1
    assert all(device.job_id is None for device in queue.devices(engine.studio))


@pytest.mark.parametrize(
    ("when", "place"),
    [
        ("before", "studio_core.models.registry:register_result"),
        ("after", "studio_core.models.registry:register_result"),
        ("before", "studio_core.runs.queue:change_spec"),
        ("after", "studio_core.runs.queue:change_spec"),
        ("after", "studio_core.runs.queue:claim"),
    ],
)
def test_2_a_crash_between_the_two_runs_of_a_chain_gives_the_second_what_the_first_made(
    engine: EngineProcess, when: str, place: str
) -> None:
    def submit(model: str, after: int | None) -> Job:
        run = {"kind": "train", "steps": 3, "spec": {"model": model}, "model": {"id": None}}
        spec = {"model": model, "run": run}
        return queue.submit(engine.studio, kind="train", name="lesson", spec=spec, after_id=after)

    first = submit("tiny-base", None)
    second = submit(f"run:{first.id}", first.id)
    engine.start_to_crash(when, place)
    engine.start()
    done = engine.wait_for(second, "succeeded")
    made = engine.job(first)
    [model] = [m for m in registry.all_models(engine.studio) if m.job_id == made.id]
    assert (done.spec["model"], done.spec["run"]["model"]["id"]) == (model.name, model.id)
    assert atomic.read_json(folder(done) / run_folder.SPEC) == done.spec["run"]
    assert len(worker_pids(first)) == len(worker_pids(second)) == 1


def test_2_a_stop_request_survives_a_crash_before_it_is_passed_on(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=1000, pause=0.05)
    engine.wait_for_step(job, 2)
    engine.kill()
    queue.request_stop(engine.studio, job.id, queue.Stop.SAVE)
    engine.start_to_crash("before", "jobs.engine.launcher:LocalLauncher.stop")
    engine.start_to_crash("before", "studio_core.runs.queue:mark_stopping")
    engine.start()
    assert engine.wait_for(job, "succeeded").cause == Cause.STOPPED


def test_13_without_space_for_the_database_the_engine_lives_and_catches_up(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=STEPS, pause=0.05)
    engine.wait_for_step(job, 3)
    assert engine.process is not None
    log = engine.studio.settings.database.with_name("studio.db-wal")
    unlimited = resource.prlimit(engine.process.pid, resource.RLIMIT_FSIZE)
    full = (log.stat().st_size, unlimited[1])  # It cannot grow by a single page.
    resource.prlimit(engine.process.pid, resource.RLIMIT_FSIZE, full)
    wait_until(lambda: f"Trouble with job {job.id}" in engine.log(), what="the engine cannot store")
    assert engine.process.poll() is None
    resource.prlimit(engine.process.pid, resource.RLIMIT_FSIZE, unlimited)
    engine.wait_for(job, "succeeded")
    assert steps_of(engine, job.id) == list(range(1, STEPS + 1))


def test_14_a_locked_database_delays_the_rows_and_loses_none(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=STEPS, pause=0.02)
    engine.wait_for_step(job, 2)
    other = connect(engine.studio.settings.database)
    with other.write():
        wait_until(lambda: not run_folder.is_held(folder(job) / run_folder.LOCK), what="the run ends")
        wait_until(lambda: "locked by another program" in engine.log(), what="the engine gave up once")
        assert engine.job(job).state == "running"
    other.close()
    engine.wait_for(job, "succeeded")
    assert steps_of(engine, job.id) == list(range(1, STEPS + 1))


def test_16_a_second_engine_refuses_and_names_the_first(engine: EngineProcess) -> None:
    engine.start()
    assert engine.process is not None
    command = [sys.executable, "-m", "jobs", "--home", str(engine.studio.settings.home)]
    second = subprocess.run(command, env=engine.env, capture_output=True, text=True, timeout=240)
    first = json.loads((engine.studio.settings.home / LOCK).read_text())
    assert second.returncode == 3
    assert first["pid"] == engine.process.pid
    assert f"process {first['pid']} on {first['host']}" in second.stderr
    assert second.stderr.count("\n") == 1
    assert engine_alive(engine.studio)


def test_17_a_paused_engine_whose_claim_was_lost_changes_nothing(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=1000, pause=0.02)
    engine.wait_for(job, "running")
    assert engine.process is not None
    engine.process.send_signal(signal.SIGSTOP)
    with engine.studio.db.write() as session:  # As another engine would, which took it for dead.
        session.merge(engine.job(job)).claim_token = "another"
    stale = engine.job(job)
    stale.claim_token = "the old one"
    assert queue.finish(engine.studio, stale, State.FAILED, Cause.ERROR) is False
    os.kill(supervisor_pid(job), signal.SIGKILL)
    engine.process.send_signal(signal.SIGCONT)
    assert engine.job(job).state == "running"
    # The engine reads the row again and takes the claim that stands there.
    assert engine.wait_for(job, "interrupted").cause == Cause.SUPERVISOR_LOST


def test_18_queued_jobs_keep_their_order_over_a_restart(engine: EngineProcess) -> None:
    engine.start()
    jobs = [engine.submit(steps=3, pause=0.05) for _ in range(5)]
    engine.wait_for(jobs[0], "running", "succeeded")
    engine.kill()
    engine.start()
    for job in jobs:
        engine.wait_for(job, "succeeded")
    begun = [engine.job(job).started_at for job in jobs]
    assert begun == sorted(begun)  # type: ignore[type-var]
    assert [len(worker_pids(job)) for job in jobs] == [1] * 5


def test_sigterm_ends_the_engine_and_leaves_the_run_alone(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=40, pause=0.05)
    engine.wait_for_step(job, 2)
    assert engine.end(signal.SIGTERM) == 0
    assert run_folder.is_held(folder(job) / run_folder.LOCK)
    assert alive(worker_pids(job)[0])
    engine.start()
    engine.wait_for(job, "succeeded")
