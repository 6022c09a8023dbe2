"""Fault 27: what runs the work cannot be reached, fails or lies; our own records decide."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.engine import devices
from jobs.engine.launcher import Liveness
from jobs.engine.loop import Engine
from studio_core.base.states import Cause, State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import metrics, queue, run_folder
from tests.faults.fake_cluster import FakeCluster, FakeLauncher


class Follower:
    """An engine over a pretended cluster; each call of ``tick`` lets both get on."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.cluster = FakeCluster()
        queue.set_devices(studio, devices.detect_slots(studio.settings))
        self.restart()

    def restart(self) -> None:
        self.engine = Engine(self.studio, FakeLauncher(self.cluster))

    def submit(self, **spec: Any) -> Job:
        return queue.submit(self.studio, kind="toy", name="toy", spec=spec)

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.engine.tick()

    def until(self, job: Job, *states: str, most: int = 500) -> Job:
        for _ in range(most):
            if self.job(job).state in states:
                return self.job(job)
            self.tick()
        raise AssertionError(f"job {job.id} is {self.job(job).state}, not {states}")

    def job(self, job: Job) -> Job:
        return queue.get(self.studio, job.id)

    def held(self) -> set[int | None]:
        return {device.job_id for device in queue.devices(self.studio) if device.job_id is not None}


@pytest.fixture
def follower(studio: Studio) -> Iterator[Follower]:
    follower = Follower(studio)
    yield follower
    for run in list(follower.cluster.runs):
        follower.cluster.lose(run.launch.run_dir)


def folder(job: Job) -> Path:
    return Path(job.run_dir or "")


def has_exit(job: Job) -> bool:
    return (folder(job) / run_folder.EXIT).exists()


def test_27_an_honest_cluster_is_followed_to_the_end(follower: Follower) -> None:
    job = follower.submit(steps=5)
    follower.until(job, "succeeded")
    assert [point.step for point in metrics.points(follower.studio, job.id)] == [1, 2, 3, 4, 5]
    assert not follower.held()


def test_27_one_that_cannot_be_reached_is_unknown_and_nothing_is_judged(follower: Follower) -> None:
    job, waiting = follower.submit(steps=1000), follower.submit(steps=2)
    follower.until(job, "running")
    follower.cluster.reachable = False
    follower.cluster.lose(folder(job))  # Which nobody can know now.
    follower.tick(50)
    follower.restart()
    follower.tick(50)
    assert follower.job(job).state == State.RUNNING
    assert follower.held() == {job.id}
    assert follower.job(waiting).state == State.QUEUED
    assert len(follower.cluster.starts) == 1
    follower.cluster.reachable = True
    assert follower.until(job, "interrupted", "failed").cause == Cause.SUPERVISOR_LOST
    follower.until(waiting, "succeeded")


def test_27_a_run_goes_on_and_ends_while_its_cluster_cannot_be_reached(follower: Follower) -> None:
    job = follower.submit(steps=5)
    follower.until(job, "running")
    follower.cluster.reachable = False
    follower.tick(5)
    assert follower.job(job).state == State.RUNNING
    while not has_exit(job):
        follower.cluster.tick()
    follower.until(job, "succeeded")  # Its own record says it; nobody has to be asked.
    assert not follower.held()


@pytest.mark.parametrize("arrives", [True, False])
def test_27_a_start_of_which_nobody_knows_whether_it_arrived(follower: Follower, arrives: bool) -> None:
    follower.cluster.reachable, follower.cluster.delivers = False, arrives
    job = follower.submit(steps=5)
    follower.tick(20)
    assert follower.job(job).state == State.STARTING
    assert len(follower.cluster.starts) == 1
    follower.cluster.reachable = True
    follower.until(job, "succeeded")
    assert len(follower.cluster.starts) == (1 if arrives else 2)
    assert (folder(job) / "starts").read_text().count("\n") == 1


def test_27_said_to_have_ended_while_it_lives(follower: Follower) -> None:
    job, waiting = follower.submit(steps=30), follower.submit(steps=2)
    follower.until(job, "running")
    follower.cluster.claims[folder(job)] = Liveness.ENDED
    follower.tick(20)
    assert not has_exit(job)
    assert (follower.job(job).state, follower.held()) == (State.RUNNING, {job.id})
    assert follower.job(waiting).state == State.QUEUED
    follower.until(job, "succeeded")
    assert len(metrics.points(follower.studio, job.id)) == 30


def test_27_said_to_live_after_its_exit_record(follower: Follower) -> None:
    job = follower.submit(steps=3)
    follower.until(job, "running")
    follower.cluster.claims[folder(job)] = Liveness.ALIVE
    follower.until(job, "succeeded")


def test_27_said_to_have_failed_although_our_record_says_0(follower: Follower) -> None:
    """There is no word for failed in the agreement: it can only say that the run is over."""
    job = follower.submit(steps=3)
    follower.until(job, "running")
    while not has_exit(job):
        follower.cluster.tick()
    with open(folder(job) / run_folder.LOG, "a") as log:
        log.write("JobStatus.FAILED: the head of the cluster was lost\n")
    follower.cluster.claims[folder(job)] = Liveness.ENDED
    ended = follower.until(job, "succeeded", "failed", "interrupted")
    assert (ended.state, ended.cause) == (State.SUCCEEDED, None)


def test_27_said_to_be_over_before_it_began(follower: Follower) -> None:
    """The first start is withdrawn, so that it cannot come to life beside the second."""
    job = follower.submit(steps=5)
    follower.cluster.claims[folder(job)] = Liveness.ENDED
    follower.tick()
    assert follower.job(job).state == State.QUEUED
    del follower.cluster.claims[folder(job)]
    follower.until(job, "succeeded")
    assert (folder(job) / "starts").read_text().count("\n") == 1
    assert [point.step for point in metrics.points(follower.studio, job.id)] == [1, 2, 3, 4, 5]


def test_27_a_lost_start_is_repeated_once_and_then_told(follower: Follower) -> None:
    follower.cluster.lost_starts = 1
    lucky = follower.submit(steps=2)
    follower.until(lucky, "succeeded")
    assert len(follower.cluster.starts) == 2
    follower.cluster.lost_starts = 2
    unlucky = follower.submit(steps=2)
    assert follower.until(unlucky, "failed").cause == Cause.START_FAILED
    assert not follower.held()


def test_27_a_doubled_start_is_one_run(follower: Follower) -> None:
    follower.cluster.doubled = True
    job = follower.submit(steps=5)
    follower.until(job, "succeeded")
    follower.tick(5)
    assert (folder(job) / "starts").read_text().count("\n") == 1
    assert [point.step for point in metrics.points(follower.studio, job.id)] == [1, 2, 3, 4, 5]


def test_27_a_stop_while_it_cannot_be_reached_holds(follower: Follower) -> None:
    job = follower.submit(steps=100_000)
    follower.until(job, "running")
    follower.cluster.reachable = False
    queue.request_stop(follower.studio, job.id, Stop.SAVE)
    follower.tick(5)
    assert follower.job(job).state == State.STOPPING
    follower.cluster.reachable = True
    assert follower.until(job, "succeeded").cause == Cause.STOPPED
