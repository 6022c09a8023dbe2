"""Trackers that hang, die or refuse, and followers that are killed: the run and the engine do not notice."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio_core.base import atomic
from studio_core.base.tables import Job
from studio_core.runs import metrics
from studio_core.trackers import sent, switches
from tests.conftest import wait_until
from tests.faults.conftest import EngineProcess, folder

SINK = Path(__file__).with_name("toy_sink.py")


class Tracked:
    """An engine whose trainings are sent to a stand-in."""

    def __init__(self, engine: EngineProcess, kept: Path) -> None:
        self.engine, self.kept = engine, kept

    def start(self, fault: str, *trackers: str) -> None:
        home = self.engine.studio.settings.home
        atomic.write_json(home / switches.FILE, {name: {"on": True} for name in trackers})
        command = [sys.executable, str(SINK), str(self.kept), fault]
        self.engine.env["TUNESMITH_SINK_COMMAND"] = json.dumps(command)
        self.engine.start()

    def submit(self, **run: Any) -> Job:
        toy = {"kind": "train", "spec": {"model": "toy"}, "model": {"id": None}, **run}
        return self.engine.submit("train", model="toy", run=toy)

    def sent(self, job: Job, tracker: str = "tensorboard") -> sent.Sent | None:
        return sent.read(folder(job), tracker)

    def told(self) -> list[int]:
        lines = self.kept.read_text().splitlines() if self.kept.exists() else []
        written = [event for line in lines for event in json.loads(line).get("write", ())]
        return [event["step"] for event in written if event["type"] == "metrics"]


@pytest.fixture
def tracked(engine: EngineProcess, tmp_path: Path) -> Tracked:
    return Tracked(engine, tmp_path / "kept.jsonl")


def followers(job: Job) -> list[psutil.Process]:
    """Processes that send this run."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "jobs.tracking" in line and str(folder(job)) in line:
            found.append(process)
    return found


def steps(tracked: Tracked, job: Job) -> list[int]:
    return [point.step for point in metrics.points(tracked.engine.studio, job.id)]


def test_a_training_is_sent_while_it_goes_on_and_to_its_end(tracked: Tracked) -> None:
    tracked.start("none", "tensorboard")
    job = tracked.submit(steps=200, pause=0.02)
    wait_until(tracked.told, what="the first step is sent")
    assert tracked.engine.job(job).state == "running"
    tracked.engine.wait_for(job, "succeeded")
    wait_until(lambda: (known := tracked.sent(job)) and known.state == "sent", what="all of it is sent")
    assert tracked.told() == steps(tracked, job) == list(range(1, 201))
    assert json.loads(tracked.kept.read_text().splitlines()[-1])["end"] == "succeeded"
    wait_until(lambda: not followers(job), what="the follower ends")


def test_a_training_of_an_instant_is_sent_too(tracked: Tracked) -> None:
    tracked.start("none", "tensorboard")
    job = tracked.submit(steps=2)
    tracked.engine.wait_for(job, "succeeded")
    wait_until(lambda: (known := tracked.sent(job)) and known.state == "sent", what="all of it is sent")
    assert tracked.told() == [1, 2]


def test_other_jobs_and_trackers_that_are_off_start_nothing(tracked: Tracked) -> None:
    tracked.start("none", "tensorboard")
    other = tracked.engine.submit(steps=3)
    tracked.engine.wait_for(other, "succeeded")
    job = tracked.submit(steps=3)
    tracked.engine.wait_for(job, "succeeded")
    wait_until(lambda: tracked.sent(job), what="the training is sent")
    assert not (folder(other) / sent.FOLDER).exists() and tracked.sent(job, "wandb") is None


@pytest.mark.parametrize("fault", ["hang", "die", "refuse"])
def test_a_tracker_that_fails_costs_the_run_nothing(tracked: Tracked, fault: str) -> None:
    tracked.start(fault, "tensorboard", "mlflow")
    job = tracked.submit(steps=100, pause=0.02)
    ended = tracked.engine.wait_for(job, "succeeded")
    assert (ended.cause, ended.detail) == (None, None) and steps(tracked, job) == list(range(1, 101))
    if fault != "hang":  # It is given up after a minute, as a unit test sees it sooner.
        wait_until(lambda: (known := tracked.sent(job)) and known.state == "failed", what="it is given up")
        assert tracked.sent(job, "mlflow") is not None, "one that fails keeps no other waiting"
    for process in followers(job):
        # A sink that hangs reads no more, and so does not hear that its follower is gone.
        for one in (*process.children(recursive=True), process):
            one.kill()
    wait_until(lambda: not followers(job))


def test_a_follower_that_is_killed_is_started_again_and_loses_nothing(tracked: Tracked) -> None:
    tracked.start("none", "tensorboard")
    job = tracked.submit(steps=600, pause=0.02)
    wait_until(tracked.told, what="the first step is sent")
    [first] = followers(job)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: any(one.pid != first.pid for one in followers(job)), what="another one follows")
    tracked.engine.wait_for(job, "succeeded")
    wait_until(lambda: (known := tracked.sent(job)) and known.state == "sent", what="all of it is sent")
    # What was written and not noted when it was killed is sent twice; nothing is left out.
    assert sorted({*tracked.told()}) == list(range(1, 601))


def test_an_engine_that_is_killed_leaves_the_follower_alone(tracked: Tracked) -> None:
    tracked.start("none", "tensorboard")
    job = tracked.submit(steps=400, pause=0.02)
    wait_until(tracked.told, what="the first step is sent")
    [before] = followers(job)
    tracked.engine.kill()
    tracked.engine.start()
    tracked.engine.wait_for(job, "succeeded")
    wait_until(lambda: (known := tracked.sent(job)) and known.state == "sent", what="all of it is sent")
    assert tracked.told() == list(range(1, 401))
    begun = [line for line in tracked.kept.read_text().splitlines() if "begin" in json.loads(line)]
    assert len(begun) == 1, f"a second one followed beside {before.pid}"


def test_a_spoilt_file_of_switches_stops_no_training(tracked: Tracked) -> None:
    tracked.start("none", "tensorboard")
    (tracked.engine.studio.settings.home / switches.FILE).write_text("{")
    job = tracked.submit(steps=20, pause=0.02)
    tracked.engine.wait_for(job, "succeeded")
    assert "is damaged" in tracked.engine.log()
