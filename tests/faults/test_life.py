"""What happens to a run from its click to its end, without and with faults."""

from __future__ import annotations

from studio_core import metrics, queue
from tests.faults.conftest import EngineProcess, worker_pids


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
