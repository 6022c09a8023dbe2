"""What happens to a run from its click to its end, without and with faults."""

from __future__ import annotations

from studio_core.base import atomic
from studio_core.base.states import Cause
from studio_core.runs import metrics, queue, run_folder
from studio_core.runs.reasons import waiting_reason
from tests.conftest import wait_until
from tests.faults.conftest import EngineProcess, folder, worker_pids


def test_a_time_limit_saves_and_ends_the_run_without_the_engine(engine: EngineProcess) -> None:
    engine.start()
    limited = engine.submit(steps=10_000, pause=0.02, time_limit=1.5 / 3600)
    engine.wait_for_step(limited, 1)
    engine.kill()
    wait_until(lambda: atomic.read_json(folder(limited) / run_folder.EXIT), what="the run ends by itself")
    engine.start()
    ended = engine.wait_for(limited, "succeeded")
    assert ended.cause == Cause.TIMED_OUT
    assert (folder(limited) / run_folder.CHECKPOINTS).is_dir()


def test_a_time_limit_that_is_ignored_kills_after_the_grace(engine: EngineProcess) -> None:
    engine.start(stop_grace=0.3)
    job = engine.submit(steps=10_000, pause=0.02, time_limit=0.5 / 3600, fault="ignore")
    ended = engine.wait_for(job, "failed")
    assert ended.cause == Cause.TIMED_OUT


def test_a_chain_goes_on_by_itself_and_passes_a_failed_one(engine: EngineProcess) -> None:
    fails = engine.submit(steps=3, fault="kill at 2")
    blocked = queue.submit(engine.studio, kind="toy", name="x", spec={"kind": "toy"}, after_id=fails.id)
    first = engine.submit(steps=3)
    second = queue.submit(
        engine.studio, kind="toy", name="x", spec={"kind": "toy", "steps": 2}, after_id=first.id, priority=9
    )
    engine.start()
    engine.wait_for(second, "succeeded")
    assert engine.job(first).state == "succeeded" and engine.job(fails).state == "failed"
    assert engine.job(blocked).state == "queued"
    assert f"Resume run {fails.id}" in waiting_reason(engine.studio, engine.job(blocked))


def test_a_job_runs_from_the_queue_to_its_end(engine: EngineProcess) -> None:
    engine.start()
    job = engine.submit(steps=5)
    ended = engine.wait_for(job, "succeeded")
    assert [point.step for point in metrics.points(engine.studio, job.id)] == [1, 2, 3, 4, 5]
    changes = [(event.before, event.after) for event in queue.events(engine.studio, job.id)]
    assert changes == [
        (None, "queued"),
        ("queued", "starting"),
        ("starting", "running"),
        ("running", "succeeded"),
    ]
    assert ended.cause is None and ended.step == 5 and ended.latest == {"loss": 0.2}
    assert len(worker_pids(job)) == 1
    assert all(device.job_id is None for device in queue.devices(engine.studio))
