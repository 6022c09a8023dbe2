"""Faults 3, 9, 10, 21, 22: the supervisor is lost, requests race, the machine restarts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

from studio_core.base import atomic
from studio_core.base.errors import Conflict
from studio_core.base.states import Cause, State, Stop
from studio_core.runs import queue, run_folder
from tests.conftest import wait_until
from tests.faults.conftest import EngineProcess, alive, folder, supervisor_pid, worker_pids


def test_3_without_its_supervisor_the_tree_dies_and_the_run_is_interrupted(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=1000, pause=0.05, fault="ranks", checkpoints=[2])
    engine.wait_for_step(job, 3)
    ranks = json.loads((folder(job) / "ranks").read_text())
    os.kill(supervisor_pid(job), signal.SIGKILL)
    ended = engine.wait_for(job, "interrupted")
    assert ended.cause == Cause.SUPERVISOR_LOST
    assert not any(alive(pid) for pid in [*worker_pids(job), *ranks])
    assert all(device.job_id is None for device in queue.devices(engine.studio))
    newest = run_folder.newest_complete(folder(job))
    assert newest is not None and newest.step == 2


def test_9_cancel_against_success_gives_one_end(engine: EngineProcess) -> None:
    engine.start()
    for _ in range(5):
        job = engine.submit(steps=3, pause=0.01)
        barrier = threading.Barrier(2)

        def cancel(job_id: int = job.id, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                queue.request_stop(engine.studio, job_id, Stop.CANCEL)
            except Conflict:
                return

        thread = threading.Thread(target=cancel)
        thread.start()
        engine.wait_for_step(job, 1)
        barrier.wait()
        thread.join()
        ended = engine.wait_for(job, "succeeded", "cancelled")
        ends = [e for e in queue.events(engine.studio, job.id) if e.after in ("succeeded", "cancelled")]
        assert len(ends) == 1 and ends[0].after == ended.state


def test_9_a_result_that_was_reported_before_the_cancel_is_kept(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=2, fault="linger")
    wait_until(lambda: b'"result"' in (folder(job) / run_folder.EVENTS).read_bytes() if started(job) else 0)
    queue.request_stop(engine.studio, job.id, Stop.CANCEL)
    ended = engine.wait_for(job, "succeeded", "cancelled")
    assert ended.state == State.SUCCEEDED
    assert "before the cancel" in (ended.detail or "")


def started(job: queue.Job) -> bool:
    return (folder(job) / run_folder.EVENTS).exists()


def test_10_a_queued_job_that_is_cancelled_never_starts(engine: EngineProcess) -> None:
    engine.start()
    first = engine.submit(steps=1000, pause=0.05)
    second = engine.submit(steps=2)
    engine.wait_for(first, "running")
    assert queue.request_stop(engine.studio, second.id, Stop.CANCEL).state == State.CANCELLED
    queue.request_stop(engine.studio, first.id, Stop.CANCEL)
    engine.wait_for(first, "cancelled")
    third = engine.submit(steps=1)
    engine.wait_for(third, "succeeded")
    assert not folder(second).exists()


def test_10_a_job_cancelled_while_starting_never_begins(engine: EngineProcess) -> None:
    job = engine.submit(steps=2)
    engine.start_to_crash("before", "jobs.engine.launcher:LocalLauncher.start")
    assert engine.job(job).state == State.STARTING
    queue.request_stop(engine.studio, job.id, Stop.CANCEL)
    engine.start()
    engine.wait_for(job, "cancelled")
    assert not (folder(job) / "starts").exists()


def test_10_a_supervisor_that_finds_a_cancel_starts_no_worker(engine: EngineProcess) -> None:
    job = engine.submit(steps=2)
    folder(job).mkdir()
    atomic.write_json(folder(job) / run_folder.CONTROL, {"stop": "cancel", "grace": 1})
    assert supervise(engine, job).wait(240) == 0
    record = atomic.read_json(folder(job) / run_folder.EXIT)
    assert record is not None and record["returncode"] is None and record["stop"] == "cancel"
    assert not (folder(job) / "starts").exists()


def supervise(engine: EngineProcess, job: queue.Job, *claim: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "jobs.engine.supervisor", str(folder(job)), *claim]
    return subprocess.Popen(command, env=engine.env)


def test_two_supervisors_on_one_run_start_one_worker(engine: EngineProcess) -> None:
    job = engine.submit(steps=3, pause=1.0)
    folder(job).mkdir()
    atomic.write_json(folder(job) / run_folder.SPEC, job.spec)
    both = [supervise(engine, job) for _ in range(2)]
    assert sorted(one.wait(240) for one in both) == [0, 75]
    assert len(worker_pids(job)) == 1


def test_a_late_supervisor_whose_claim_was_withdrawn_does_nothing(engine: EngineProcess) -> None:
    job = engine.submit(steps=3)
    folder(job).mkdir()
    atomic.write_json(folder(job) / run_folder.SPEC, job.spec)
    atomic.write_json(folder(job) / run_folder.LAUNCH, {"claim": "new"})
    assert supervise(engine, job, "--claim", "old").wait(240) == 75
    assert not (folder(job) / "starts").exists()


def test_21_the_number_of_a_dead_supervisor_given_to_a_stranger_is_harmless(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=1000, pause=0.05)
    engine.wait_for_step(job, 2)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    engine.kill()
    os.kill(supervisor_pid(job), signal.SIGKILL)
    path = folder(job) / run_folder.SUPERVISOR
    atomic.write_json(path, {**(atomic.read_json(path) or {}), "pid": stranger.pid})
    engine.start()
    assert engine.wait_for(job, "interrupted").cause == Cause.SUPERVISOR_LOST
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_22_after_a_restart_of_the_machine_the_cause_says_so(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=1000, pause=0.05)
    engine.wait_for_step(job, 2)
    engine.kill()
    os.kill(supervisor_pid(job), signal.SIGKILL)
    wait_until(lambda: not alive(worker_pids(job)[0]), what="the kernel kills the worker")
    path = folder(job) / run_folder.SUPERVISOR
    atomic.write_json(path, {**(atomic.read_json(path) or {}), "boot_id": "of yesterday"})
    engine.start()
    assert engine.wait_for(job, "interrupted").cause == Cause.HOST_REBOOTED


def test_a_supervisor_told_to_end_lets_the_run_save(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=1000, pause=0.05)
    engine.wait_for_step(job, 2)
    os.kill(supervisor_pid(job), signal.SIGTERM)
    assert engine.wait_for(job, "succeeded").cause == Cause.STOPPED


def test_supervisors_that_die_before_they_begin_fail_the_job_in_the_end(engine: EngineProcess) -> None:
    engine.env["TUNESMITH_WORKER_COMMAND"] = "not json"
    engine.start()
    ended = engine.wait_for(engine.submit(steps=1), "failed", "interrupted")
    assert ended.cause in (Cause.START_FAILED, Cause.SUPERVISOR_LOST)
