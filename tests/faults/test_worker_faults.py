"""Faults 4, 5, 6, 7, 8, 11, 12, 23, 24: the worker dies, hangs, floods, tears lines or fills the disk."""

from __future__ import annotations

import json
import os
import signal

from studio_core.base import atomic
from studio_core.base.states import Cause, Stop
from studio_core.runs import metrics, queue, run_folder
from tests.conftest import wait_until
from tests.faults.conftest import EngineProcess, alive, folder, worker_pids


def test_4_a_killed_worker_is_named_as_such_and_not_tried_again(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=10, fault="kill at 4", checkpoints=[2])
    ended = engine.wait_for(job, "failed")
    assert (ended.cause, ended.detail) == (Cause.KILLED, "SIGKILL")
    assert "toy begins" in run_folder.log_tail(folder(job))
    assert [point.step for point in metrics.points(engine.studio, job.id)] == [1, 2, 3]
    newest = run_folder.newest_complete(folder(job))
    assert newest is not None and newest.step == 2
    assert len(worker_pids(job)) == 1


def test_5_too_little_gpu_memory_is_told_with_its_message(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=10, fault="gpu memory at 3")
    ended = engine.wait_for(job, "failed")
    assert ended.cause == Cause.OUT_OF_MEMORY_GPU
    assert "2.00 GiB" in (ended.detail or "")
    [note] = metrics.notes(engine.studio, job.id, "error")
    assert note.body["cause"] == "out_of_memory_gpu"


def test_6_ranks_in_sessions_of_their_own_are_dead_before_the_device_is_free(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=10, fault="ranks")
    engine.wait_for(job, "succeeded")
    ranks = json.loads((folder(job) / "ranks").read_text())
    assert len(ranks) == 2 and not any(alive(pid) for pid in ranks)
    record = atomic.read_json(folder(job) / run_folder.EXIT)
    assert record is not None and record["strays"] == 2


def test_7_a_worker_that_ignores_the_wish_to_end_is_killed_after_the_grace(engine: EngineProcess) -> None:
    engine.start(stop_grace=0.5)
    job = engine.submit(steps=1000, pause=0.05, fault="ignore")
    engine.wait_for_step(job, 2)
    queue.request_stop(engine.studio, job.id, Stop.SAVE)
    engine.wait_for(job, "stopping")
    ended = engine.wait_for(job, "cancelled")
    record = atomic.read_json(folder(job) / run_folder.EXIT)
    assert record is not None and record["forced"] is True and record["signal"] == "SIGKILL"
    assert "time for saving" in (ended.detail or "")
    assert not alive(worker_pids(job)[0])


def test_stop_and_save_ends_with_a_checkpoint_and_a_model(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=1000, pause=0.05)
    engine.wait_for_step(job, 3)
    queue.request_stop(engine.studio, job.id, Stop.SAVE)
    ended = engine.wait_for(job, "succeeded")
    assert ended.cause == Cause.STOPPED
    newest = run_folder.newest_complete(folder(job))
    assert newest is not None and newest.step == ended.step


def test_8_a_cancel_in_the_middle_of_a_save_lists_no_torn_checkpoint(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=10, checkpoints=[2, 4], save_pause=0.4)
    torn = folder(job) / "checkpoints" / "checkpoint-4" / "weights"
    wait_until(torn.exists, what="the second save begins")
    queue.request_stop(engine.studio, job.id, Stop.CANCEL)
    engine.wait_for(job, "cancelled")
    first, second = run_folder.checkpoints(folder(job))
    assert first.complete and not second.complete
    assert run_folder.newest_complete(folder(job)) == first


def test_8_cancel_after_stop_and_save_forces_the_end(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=1000, pause=0.05, fault="ignore")
    engine.wait_for_step(job, 2)
    queue.request_stop(engine.studio, job.id, Stop.SAVE)
    engine.wait_for(job, "stopping")
    queue.request_stop(engine.studio, job.id, Stop.CANCEL)
    assert engine.wait_for(job, "cancelled").cause == Cause.CANCELLED


def test_12_a_full_disk_is_told_and_the_earlier_checkpoint_is_whole(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=10, fault="disk at 3", checkpoints=[2, 4], checkpoint_bytes=30_000)
    ended = engine.wait_for(job, "failed")
    assert ended.cause == Cause.DISK_FULL
    assert "too large" in (ended.detail or "")
    newest = run_folder.newest_complete(folder(job))
    assert newest is not None and newest.step == 2


def test_23_a_flood_of_output_is_capped_and_does_not_reach_the_engine(engine: EngineProcess) -> None:
    engine.start()
    assert engine.process is not None
    before = memory(engine.process.pid)
    job = engine.submit(steps=3, pause=0.3, fault="flood", megabytes=160)
    engine.wait_for(job, "succeeded")
    log = folder(job) / run_folder.LOG
    assert log.stat().st_size < 100 << 20
    assert run_folder.log_tail(folder(job)).endswith("the flood is over\n")
    assert b"older lines were dropped" in log.read_bytes()
    assert memory(engine.process.pid) - before < 20 << 20


def test_24_not_a_number_and_torn_lines_are_stored_or_passed_over(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=5, fault="tail")
    engine.wait_for_step(job, 2)
    (folder(job) / "go on").touch()
    engine.wait_for(job, "succeeded")
    points = metrics.points(engine.studio, job.id)
    assert [point.step for point in points] == [1, 2, 3, 4, 5]
    assert [point.values["loss"] for point in points] == [1.0, 0.5, None, 0.25, 0.2]


def test_a_worker_that_cannot_begin_is_told_with_its_last_line(engine: EngineProcess) -> None:
    engine.env["TUNESMITH_WORKER_COMMAND"] = json.dumps(["/bin/ls", "--no-such-option"])
    engine.start()
    ended = engine.wait_for(engine.submit(), "failed")
    assert ended.cause == Cause.ERROR
    assert (ended.detail or "").startswith("exit code 2")


def test_a_chat_worker_ends_idle_or_as_asked(engine: EngineProcess) -> None:
    engine.start()
    idle = engine.submit("serve", idle_seconds=0.1)
    assert engine.wait_for(idle, "succeeded").cause == Cause.IDLE
    asked = engine.submit("serve", idle_seconds=100)
    train = engine.submit(steps=2)
    worker_pids(asked)
    engine.wait_for(train, "succeeded")  # It has a slot of its own.
    queue.request_stop(engine.studio, asked.id, Stop.SAVE)
    assert engine.wait_for(asked, "succeeded").cause == Cause.STOPPED


def test_a_worker_killed_from_outside_by_another_signal_is_named(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=1000, pause=0.05)
    engine.wait_for_step(job, 2)
    os.kill(worker_pids(job)[0], signal.SIGABRT)
    ended = engine.wait_for(job, "failed")
    assert (ended.cause, ended.detail) == (Cause.KILLED, "SIGABRT")


def memory(pid: int) -> int:
    """Resident bytes."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
