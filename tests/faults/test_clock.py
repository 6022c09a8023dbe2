"""Fault 20: the clock of the machine jumps by a day, forward or back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from app.parts import run_words
from app.parts.html import ago
from jobs.engine import devices
from jobs.engine.loop import Engine
from studio_core import training
from studio_core.base import backup, clock
from studio_core.base.states import State, Stop
from studio_core.base.studio import Studio
from studio_core.machine import doctor
from studio_core.runs import metrics, queue
from tests.faults.fake_cluster import FakeCluster, FakeLauncher

JUMPS = [timedelta(days=1), timedelta(days=-1)]


class Clock:
    offset = timedelta()


@pytest.fixture
def shifted(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The one clock, as far off as the test says."""
    real, shifted = clock.now, Clock()
    monkeypatch.setattr(clock, "now", lambda: real() + shifted.offset)
    return shifted


@pytest.mark.parametrize("jump", JUMPS, ids=["forward", "back"])
def test_20_a_jump_of_the_clock_ends_nothing_and_reorders_nothing(
    studio: Studio, shifted: Clock, jump: timedelta
) -> None:
    cluster = FakeCluster()
    queue.set_devices(studio, devices.detect_slots(studio.settings))
    engine = Engine(studio, FakeLauncher(cluster))
    spec = {"method": "sft", "tuning": "full", "model": "toy", "dataset": "toy@1", "time_limit": 2.0}
    first = queue.submit(studio, kind="train", name="first", spec={**spec, "run": {"steps": 40}})
    for _ in range(8):
        engine.tick()
    known = queue.get(studio, first.id)
    assert known.state == State.RUNNING
    shifted.offset = jump
    second = queue.submit(studio, kind="toy", name="second", spec={"steps": 3})
    shifted.offset = -jump
    third = queue.submit(studio, kind="toy", name="third", spec={"steps": 3})
    assert abs(second.submitted_at - third.submitted_at) > timedelta(days=1.9)
    for _ in range(5):
        engine.tick()

    now = queue.get(studio, first.id)
    assert (now.state, now.claim_token) == (State.RUNNING, known.claim_token)  # No lease, no time limit.
    assert [job.id for job in queue.all_jobs(studio)] == [third.id, second.id, first.id]
    assert [job.id for job in queue.waiting(studio)] == [second.id, third.id]
    assert "-" not in str(ago(second.submitted_at, "en")).partition(">")[2]
    left = training.seconds_left(now)
    assert left is None or left >= 0

    cluster.reachable = False  # So that it is still stopping when it is looked at.
    queue.request_stop(studio, first.id, Stop.SAVE)
    engine.tick()
    shifted.offset = jump
    stopping = queue.get(studio, first.id)
    assert stopping.state == State.STOPPING
    assert 0 <= run_words._grace_left(studio, stopping) <= studio.settings.stop_grace
    cluster.reachable = True
    for _ in range(100):
        engine.tick()
    assert queue.get(studio, second.id).state == State.SUCCEEDED
    assert queue.get(studio, third.id).state == State.SUCCEEDED
    begun = [event.id for job in (second, third) for event in queue.events(studio, job.id)[1:]]
    assert begun == sorted(begun)  # One after the other, whatever the times say.
    steps = [point.step for point in metrics.points(studio, first.id)]
    assert steps == list(range(1, len(steps) + 1))


@pytest.mark.parametrize("jump", JUMPS, ids=["forward", "back"])
def test_20_copies_and_the_doctor_do_not_mind(studio: Studio, shifted: Clock, jump: timedelta) -> None:
    queue.submit(studio, kind="toy", name="x", spec={})
    made = [backup.copy(studio.db, backup.standard_target(studio.settings))]
    shifted.offset = jump
    made.append(backup.copy(studio.db, backup.standard_target(studio.settings)))
    assert all(Path(path).is_file() for path in made)
    assert backup.newest(studio.settings) == made[1]
    [check] = [check for check in doctor.examine(studio) if check.name == "backup"]
    assert check.state == "good" and "-" not in check.detail.replace(str(made[1]), "")
