"""Warm workers: ready before the click, replaced after use, ended with an idle engine, never a danger."""

from __future__ import annotations

import os
import signal

from studio_core.base.states import Cause, Stop
from studio_core.runs import metrics, queue, run_folder
from tests.conftest import wait_until
from tests.faults.conftest import EngineProcess, alive, folder, supervisor_pid, worker_pids


def warm_folder(engine: EngineProcess) -> list[str]:
    """Names of the folders of warm workers that are ready."""
    return [path.parent.name for path in (engine.studio.settings.home / "warm").glob("*/ready")]


def wait_for_warm(engine: EngineProcess) -> None:
    wait_until(lambda: warm_folder(engine), what="a warm worker is ready")


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def warm_tree(engine: EngineProcess) -> list[int]:
    """The engine's warm supervisor and its worker."""
    assert engine.process is not None
    [supervisor] = children(engine.process.pid)
    return [supervisor, *wait_until(lambda: children(supervisor), what="the worker begins")]


def test_a_run_is_handed_to_the_warm_worker(engine: EngineProcess) -> None:
    engine.start(warm_workers=1, threads=3)
    wait_for_warm(engine)
    tree = warm_tree(engine)
    job = engine.submit(steps=3)
    engine.wait_for(job, "succeeded")
    assert [supervisor_pid(job), *worker_pids(job)] == tree
    assert len(metrics.points(engine.studio, job.id)) == 3
    assert "toy begins" in run_folder.log_tail(folder(job))
    threads = (folder(job) / "starts").read_text().split()[1]
    assert threads == "3"  # Which it learns only now.


def test_it_is_replaced_after_use(engine: EngineProcess) -> None:
    engine.start(warm_workers=1)
    wait_for_warm(engine)
    [first] = warm_folder(engine)
    job = engine.submit(steps=3)
    engine.wait_for(job, "succeeded")
    wait_until(lambda: set(warm_folder(engine)) - {first}, what="another one is warmed")


def test_idle_ones_end_with_a_killed_engine(engine: EngineProcess) -> None:
    engine.start(warm_workers=1)
    wait_for_warm(engine)
    tree = warm_tree(engine)
    engine.kill()
    wait_until(lambda: not any(alive(pid) for pid in tree), what="they end")
    engine.start(warm_workers=0)
    wait_until(lambda: not warm_folder(engine), what="the next engine tidies up")


def test_a_run_in_a_warm_worker_survives_the_engine_and_is_stopped_by_the_next(engine: EngineProcess) -> None:
    engine.start(warm_workers=1)
    wait_for_warm(engine)
    tree = warm_tree(engine)
    job = engine.submit(steps=1000, pause=0.05)
    engine.wait_for_step(job, 3)
    engine.kill()
    assert all(alive(pid) for pid in tree)
    engine.start()
    queue.request_stop(engine.studio, job.id, Stop.SAVE)
    assert engine.wait_for(job, "succeeded").cause == Cause.STOPPED
    steps = [point.step for point in metrics.points(engine.studio, job.id)]
    assert steps == list(range(1, len(steps) + 1))


def test_its_tree_dies_with_its_supervisor_like_any_other(engine: EngineProcess) -> None:
    engine.start(warm_workers=1)
    wait_for_warm(engine)
    job = engine.submit(steps=1000, pause=0.05)
    engine.wait_for_step(job, 3)
    os.kill(supervisor_pid(job), signal.SIGKILL)
    assert engine.wait_for(job, "interrupted").cause == Cause.SUPERVISOR_LOST
    assert not alive(worker_pids(job)[0])


def test_one_that_dies_is_reported_and_the_job_starts_cold(engine: EngineProcess) -> None:
    engine.env["TOY_WARM"] = "dies"
    engine.start(warm_workers=1)
    wait_until(lambda: "A warm worker died (1 times now)" in engine.log(), what="it is reported")
    assert "no imports today" in engine.log()
    job = engine.submit(steps=3)
    engine.wait_for(job, "succeeded")


def test_one_killed_while_idle_does_no_harm(engine: EngineProcess) -> None:
    engine.start(warm_workers=1)
    wait_for_warm(engine)
    supervisor, worker = warm_tree(engine)
    os.kill(supervisor, signal.SIGKILL)
    job = engine.submit(steps=3)
    engine.wait_for(job, "succeeded")
    wait_until(lambda: not alive(worker), what="the kernel kills its worker")


def test_none_is_kept_where_that_is_switched_off(engine: EngineProcess) -> None:
    engine.start(warm_workers=0)
    job = engine.submit(steps=3)
    engine.wait_for(job, "succeeded")
    assert not (engine.studio.settings.home / "warm").exists()
