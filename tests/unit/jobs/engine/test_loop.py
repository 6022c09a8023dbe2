"""The loop with a launcher that says what the test wants, true or not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.engine import devices
from jobs.engine.launcher import Launch, Launcher, Liveness
from jobs.engine.loop import Engine
from studio_core.base import atomic
from studio_core.base.gpus import Gpus
from studio_core.base.states import Cause, State, Stop
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import UNREACHABLE, Job
from studio_core.runs import queue, run_folder
from studio_core.runs.run_folder import EventWriter
from tests.fake_nvml import GIB, LOST, UNKNOWN, Card, FakeNvml

EXIT = {"returncode": 0, "signal": None, "stop": None, "forced": False, "strays": 0, "oom_kills": 0}


class FakeLauncher(Launcher):
    """Claims to have started everything."""

    def __init__(self) -> None:
        self.launches: list[Launch] = []
        self.says: dict[Path, Liveness] = {}
        self.stops: list[tuple[Path, Stop]] = []
        self.trouble: Exception | None = None
        self.warm: list[str] = []

    def start(self, launch: Launch) -> None:
        if self.trouble:
            raise self.trouble
        self.launches.append(launch)

    def poll(self, run_dir: Path) -> Liveness:
        return self.says.get(run_dir, Liveness.ALIVE)

    def stop(self, run_dir: Path, stop: Stop, grace: float) -> None:
        self.stops.append((run_dir, stop))

    def keep_warm(self, masks: list[str]) -> None:
        self.warm = masks


@pytest.fixture
def launcher() -> FakeLauncher:
    return FakeLauncher()


@pytest.fixture
def engine(studio: Studio, launcher: FakeLauncher) -> Engine:
    queue.set_devices(studio, devices.detect_slots(studio.settings))
    return Engine(studio, launcher)


@pytest.fixture
def two_slots(tmp_path: Path) -> Iterator[Studio]:
    studio = open_studio(home=tmp_path / "two", cpu_runs=2)
    yield studio
    studio.close()


def submit(studio: Studio, kind: str = "toy", **spec: Any) -> Job:
    return queue.submit(studio, kind=kind, name="x", spec=spec)


def state(studio: Studio, job: Job) -> str:
    return queue.get(studio, job.id).state


def ended(launcher: FakeLauncher, job: Job, **given: Any) -> None:
    folder = Path(job.run_dir or "")
    atomic.write_json(folder / run_folder.EXIT, {**EXIT, **given})
    launcher.says[folder] = Liveness.ENDED


def say(job: Job, type: str, **fields: Any) -> None:
    events = EventWriter(Path(job.run_dir or ""))
    events.write(type, **fields)
    events.close()


def tick(engine: Engine, times: int = 3) -> None:
    for _ in range(times):
        engine.tick()


def test_first_come_first_served_and_one_on_each_slot(two_slots: Studio, launcher: FakeLauncher) -> None:
    queue.set_devices(two_slots, devices.detect_slots(two_slots.settings))
    jobs = [submit(two_slots, number=number) for number in range(4)]
    engine = Engine(two_slots, launcher)
    tick(engine)
    assert [state(two_slots, job) for job in jobs] == ["running", "running", "queued", "queued"]
    ended(launcher, jobs[0])
    tick(engine)
    assert [state(two_slots, job) for job in jobs] == ["failed", "running", "running", "queued"]
    folders = [launch.run_dir for launch in launcher.launches]
    assert folders == [Path(job.run_dir or "") for job in jobs[:3]]
    assert [atomic.read_json(folder / "spec.json") for folder in folders] == [
        {"number": number} for number in range(3)
    ]


def test_a_resolved_run_is_what_the_worker_reads(
    studio: Studio, engine: Engine, launcher: FakeLauncher
) -> None:
    job = submit(studio, device="cpu", run={"resolved": True})
    tick(engine)
    assert atomic.read_json(Path(job.run_dir or "") / "spec.json") == {"resolved": True}


def test_27_what_cannot_be_known_is_never_judged(
    studio: Studio, engine: Engine, launcher: FakeLauncher
) -> None:
    job = submit(studio)
    tick(engine)
    launcher.says[Path(job.run_dir or "")] = Liveness.UNKNOWN
    tick(engine, 5)
    assert state(studio, job) == "running"
    assert len(launcher.launches) == 1


def test_27_the_exit_record_wins_over_what_anyone_claims(
    studio: Studio, engine: Engine, launcher: FakeLauncher
) -> None:
    job = submit(studio)
    tick(engine)
    say(job, "result", state="succeeded", model="model", kind="full")
    ended(launcher, job)
    tick(engine)
    assert state(studio, job) == "succeeded"


def test_a_start_that_fails_is_told(studio: Studio, engine: Engine, launcher: FakeLauncher) -> None:
    launcher.trouble = OSError(28, "No space left on device")
    job = submit(studio)
    tick(engine)
    found = queue.get(studio, job.id)
    assert (found.state, found.cause) == (State.FAILED, Cause.START_FAILED)
    assert "No space left" in (found.detail or "")
    assert all(device.job_id is None for device in queue.devices(studio))


def test_a_start_that_comes_to_nothing_is_tried_twice(
    studio: Studio, engine: Engine, launcher: FakeLauncher
) -> None:
    job = submit(studio)
    launcher.says[Path(job.run_dir or "")] = Liveness.ENDED
    tick(engine, 10)
    found = queue.get(studio, job.id)
    assert (found.state, found.cause, len(launcher.launches)) == (State.FAILED, Cause.START_FAILED, 2)
    assert launcher.launches[0].claim != launcher.launches[1].claim


def test_a_stop_is_passed_on_once_and_a_stronger_one_again(
    studio: Studio, engine: Engine, launcher: FakeLauncher
) -> None:
    job = submit(studio)
    tick(engine)
    queue.request_stop(studio, job.id, Stop.SAVE)
    tick(engine, 5)
    assert state(studio, job) == "stopping"
    queue.request_stop(studio, job.id, Stop.CANCEL)
    tick(engine, 5)
    assert [stop for _, stop in launcher.stops] == [Stop.SAVE, Stop.CANCEL]
    ended(launcher, job, stop="cancel", returncode=-9, signal="SIGKILL")
    tick(engine)
    assert state(studio, job) == "cancelled"


@pytest.mark.parametrize("result", [{"model": "../elsewhere", "kind": "full"}, {"kind": "full"}])
def test_a_model_that_is_not_there_fails_the_run(
    studio: Studio, engine: Engine, launcher: FakeLauncher, result: dict[str, str]
) -> None:
    job = submit(studio, "train")
    tick(engine)
    say(job, "result", state="succeeded", **result)
    ended(launcher, job)
    tick(engine)
    found = queue.get(studio, job.id)
    assert (found.state, found.cause) == (State.FAILED, Cause.ERROR)
    assert found.detail


def test_trouble_with_one_run_is_logged_once_and_does_not_reach_the_others(
    studio: Studio, engine: Engine, launcher: FakeLauncher, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = submit(studio), submit(studio, "serve")
    tick(engine)
    bad_folder = Path(bad.run_dir or "")
    truth: Callable[[Path], Liveness] = launcher.poll

    def poll(run_dir: Path) -> Liveness:
        if run_dir == bad_folder:
            raise OSError("the file system went away")
        return truth(run_dir)

    launcher.poll = poll  # type: ignore[method-assign]
    tick(engine, 5)
    ended(launcher, good)
    tick(engine)
    assert (state(studio, bad), state(studio, good)) == ("running", "succeeded")
    troubles = [record for record in caplog.records if "Trouble with job" in record.getMessage()]
    assert len(troubles) == 1
    launcher.poll = truth  # type: ignore[method-assign]
    ended(launcher, bad, returncode=1)
    tick(engine)
    assert state(studio, bad) == "failed"


def test_workers_are_warmed_for_free_devices_only(
    studio: Studio, engine: Engine, launcher: FakeLauncher
) -> None:
    engine.tick()
    assert launcher.warm == ["", ""]  # One for cpu:0, one for the chat.
    submit(studio)
    tick(engine)
    assert launcher.warm == [""]
    submit(studio, "serve")
    tick(engine)
    assert launcher.warm == []


def test_the_engine_ends_with_its_data_folder(studio: Studio, engine: Engine) -> None:
    stopped = threading.Event()
    gone = threading.Timer(0.3, studio.settings.database.unlink)
    gone.start()
    engine.run(stopped)
    gone.join()
    assert not stopped.is_set()


def test_a_gpu_is_looked_at_again_before_a_run_starts_on_it(
    studio: Studio, launcher: FakeLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other programs may have filled it while a run of ours was on it, or since the last look."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    one, other = Card("GPU-a"), Card("GPU-b", used=20 * GIB)
    gpus = Gpus(FakeNvml([one, other]))
    queue.set_devices(studio, devices.detect_slots(studio.settings, gpus))
    engine = Engine(studio, launcher)
    engine._gpus = gpus

    def looked(age: float) -> None:
        engine._looked -= age
        tick(engine)

    first, second = submit(studio), submit(studio)
    tick(engine)
    assert [launch.mask for launch in launcher.launches] == ["GPU-a"]
    assert state(studio, second) == "queued" and launcher.warm == []
    one.used = 22 * GIB  # By the run, and by another program.
    ended(launcher, first)
    looked(1)
    assert state(studio, first) == "failed" and state(studio, second) == "queued"
    one.error = LOST
    looked(10)
    assert {slot.foreign_memory for slot in queue.devices(studio) if slot.id == "GPU-a"} == {UNREACHABLE}
    one.error = other.error = UNKNOWN  # For a moment nothing is known: all stays as it was.
    looked(10)
    assert state(studio, second) == "queued"
    other.error, other.used = 0, 0
    looked(10)
    assert [launch.mask for launch in launcher.launches] == ["GPU-a", "GPU-b"]
