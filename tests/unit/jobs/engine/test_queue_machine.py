"""Random walks through the queue: whatever people do and whatever dies, the invariants hold.

The engine and the database are the real ones; the runs live in an imagined world that keeps
going while the engine is dead, as supervisors do. ``HYPOTHESIS_PROFILE=deep`` walks for long.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jobs.engine import ingest, tree
from jobs.engine.launcher import Launch, Launcher, Liveness
from jobs.engine.loop import Engine
from studio_core.base import atomic, clock
from studio_core.base.errors import StudioError
from studio_core.base.states import TERMINAL, State, Stop
from studio_core.base.studio import open_studio
from studio_core.base.tables import Device, Job
from studio_core.runs import metrics, order, queue, run_folder
from studio_core.runs.run_folder import EventWriter
from tests.invariants import Ledger

EXIT = {"returncode": 0, "signal": None, "stop": None, "forced": False, "strays": 0, "oom_kills": 0}
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where walks are taken: nobody waits for a disk there."""
SIZES = {"quick": (70, 50), "deep": (1000, 100)}
"""Walks and steps of a walk."""


class Crash(BaseException):
    """The engine is dead at this point: nothing in it may catch this."""


@dataclass
class World:
    """The runs themselves: what of them is on its way, what lives, what they reported."""

    coming: list[tuple[Path, str]] = field(default_factory=list)
    """Supervisors that were started and have not looked at their run yet: its folder, and their claim.

    In this order and never in that of the claims, which are random: a walk must be the same twice.
    """
    living: set[Path] = field(default_factory=set)
    begun: list[Path] = field(default_factory=list)
    """Every run that ever came to life."""
    steps: dict[Path, int] = field(default_factory=dict)

    def begin(self, start: tuple[Path, str]) -> None:
        """A supervisor comes to look, as ``Supervisor.take`` does."""
        self.coming.remove(start)
        folder, claim = start
        launch = atomic.read_json(folder / run_folder.LAUNCH) or {}
        if folder not in self.living and claim == launch.get("claim"):
            record = {"pid": 1, "ticks": 1, "boot_id": tree.boot_id(), "tree": "none", "claim": claim}
            atomic.write_json(folder / run_folder.SUPERVISOR, record)
            self.living.add(folder)
            self.begun.append(folder)

    def report(self, folder: Path) -> None:
        step = self.steps[folder] = self.steps.get(folder, 0) + 1
        self.say(folder, "metrics", step=step, total_steps=9, values={"loss": 1.0 / step})

    def say(self, folder: Path, type: str, **fields: Any) -> None:
        events = EventWriter(folder)
        events.write(type, **fields)
        events.close()

    def end(self, folder: Path, **record: Any) -> None:
        atomic.write_json(folder / run_folder.EXIT, {**EXIT, **record})
        self.living.remove(folder)


class ImaginedLauncher:
    """What one engine knows of the world; a new engine has a new one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.started: dict[Path, tuple[Path, str]] = {}

    def start(self, launch: Launch) -> None:
        atomic.write_json(launch.run_dir / run_folder.LAUNCH, {"claim": launch.claim})
        self.started[launch.run_dir] = (launch.run_dir, launch.claim)
        self.world.coming.append(self.started[launch.run_dir])

    def poll(self, run_dir: Path) -> Liveness:
        if run_dir in self.world.living:
            return Liveness.ALIVE
        if self.started.get(run_dir) in self.world.coming:
            return Liveness.UNKNOWN
        return Liveness.ENDED

    def stop(self, run_dir: Path, stop: Stop, grace: float) -> None:
        atomic.write_json(run_dir / run_folder.CONTROL, {"stop": stop.value, "grace": grace})

    def withdraw(self, run_dir: Path) -> bool:
        if run_dir in self.world.living:
            return False
        if run_dir.is_dir():
            atomic.write_json(run_dir / run_folder.LAUNCH, {"claim": ""})
        return True

    def logs(self, run_dir: Path, limit: int) -> str:
        return ""

    def keep_warm(self, masks: list[str]) -> None:
        return None

    def close(self) -> None:
        return None


POINTS: list[tuple[object, str]] = [
    (queue, "claim"),
    (queue, "mark_running"),
    (queue, "mark_stopping"),
    (queue, "release"),
    (queue, "finish"),
    (metrics, "store"),
    (ImaginedLauncher, "start"),
    (ImaginedLauncher, "stop"),
    (ImaginedLauncher, "withdraw"),
]
"""Functions of the engine that change something: it can be dead right before and right after each."""


class QueueMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(ingest, "INTERVAL", 0.0)
        self.home = Path(tempfile.mkdtemp(prefix="machine-", dir=MEMORY))
        shutil.copytree(_template(), self.home, dirs_exist_ok=True)
        self.studio = open_studio(home=self.home)
        slots = [Device(id=f"GPU-{n}", kind="gpu", label=f"GPU {n}") for n in range(2)]
        queue.set_devices(self.studio, [*slots, Device(id="serve:0", kind="serve", label="Chat")])
        self.world = World()
        self.ledger = Ledger(self.studio)
        self.ended: set[int] = set()
        self.restart()

    # --- people ------------------------------------------------------------------------

    @rule(
        gpus=st.sampled_from([1, 1, 1, 2]), priority=st.integers(-1, 1), chained=st.booleans(), data=st.data()
    )
    def submit(self, gpus: int, priority: int, chained: bool, data: st.DataObject) -> None:
        after = self.any_job(data) if chained else None
        given: dict[str, Any] = {"kind": "toy", "name": "x", "spec": {"gpus": gpus}, "priority": priority}
        given |= {
            "after_id": after.id if after else None,
            "idempotency_key": str(len(self.ledger.acknowledged)),
        }
        job = queue.submit(self.studio, **given)
        assert queue.submit(self.studio, **given).id == job.id
        assert job.id not in self.ledger.acknowledged
        self.ledger.acknowledged.add(job.id)

    @rule(stop=st.sampled_from(list(Stop)), data=st.data())
    def ask_to_stop(self, stop: Stop, data: st.DataObject) -> None:
        if job := self.any_job(data):
            with suppress(StudioError):
                queue.request_stop(self.studio, job.id, stop)

    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        job = self.any_job(data)
        if job and job.state in TERMINAL:
            resumed = queue.submit(self.studio, kind="toy", name="x", spec=job.spec, resumes_id=job.id)
            self.ledger.acknowledged.add(resumed.id)

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        queue.pause(self.studio, paused)

    @rule(place=st.sampled_from(["first", "up", "down", "last"]), data=st.data())
    def move(self, place: Any, data: st.DataObject) -> None:
        before = [job.id for job in queue.waiting(self.studio)]
        if job := self.any_job(data):
            with suppress(StudioError):
                order.move(self.studio, job.id, place)
        assert sorted(before) == sorted(job.id for job in queue.waiting(self.studio))

    @rule(priority=st.integers(-2, 2), data=st.data())
    def change_priority(self, priority: int, data: st.DataObject) -> None:
        if job := self.any_job(data):
            with suppress(StudioError):
                order.set_priority(self.studio, job.id, priority)

    # --- the world ---------------------------------------------------------------------

    @rule(data=st.data())
    def supervisor_looks(self, data: st.DataObject) -> None:
        if self.world.coming:
            self.world.begin(data.draw(st.sampled_from(self.world.coming)))

    @rule(data=st.data())
    def supervisor_dies_on_its_way(self, data: st.DataObject) -> None:
        if self.world.coming:
            self.world.coming.remove(data.draw(st.sampled_from(self.world.coming)))

    @rule(times=st.integers(1, 3), data=st.data())
    def run_reports(self, times: int, data: st.DataObject) -> None:
        if folder := self.any_living(data):
            for _ in range(times):
                self.world.report(folder)

    @rule(how=st.sampled_from(["done", "done", "error", "killed", "lost"]), data=st.data())
    def run_ends(self, how: str, data: st.DataObject) -> None:
        if folder := self.any_living(data):
            self.end(folder, how)

    @rule(data=st.data())
    def run_obeys(self, data: st.DataObject) -> None:
        asked = [f for f in sorted(self.world.living) if (f / run_folder.CONTROL).exists()]
        if asked:
            self.obey(data.draw(st.sampled_from(asked)))

    @rule(days=st.sampled_from([-1, 1]))
    def clock_jumps(self, days: int) -> None:
        earlier = clock.now
        self.patch.setattr(clock, "now", lambda: earlier() + timedelta(days=days))

    # --- the engine --------------------------------------------------------------------

    @rule(times=st.integers(1, 3))
    def engine_ticks(self, times: int) -> None:
        for _ in range(times):
            self.engine.tick()

    @rule()
    def restart(self) -> None:
        """Killed and started again: it knows nothing but the database and the folders."""
        if hasattr(self, "engine"):
            self.engine._watch.close()
        launcher: Launcher = ImaginedLauncher(self.world)
        self.engine = Engine(self.studio, launcher)

    @rule(point=st.sampled_from(POINTS), after=st.booleans())
    def engine_crashes(self, point: tuple[object, str], after: bool) -> None:
        owner, name = point
        original: Callable[..., Any] = getattr(owner, name)

        def crash(*given: Any, **named: Any) -> Any:
            if after:
                original(*given, **named)
            raise Crash

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, crash)
            with suppress(Crash):
                self.engine.tick()
                return  # It did not come by that point.
        self.restart()

    # --- what must hold ----------------------------------------------------------------

    @invariant()
    def nothing_is_broken(self) -> None:
        if not hasattr(self, "ledger"):
            return
        assert self.ledger.broken() == []
        assert len(self.world.begun) == len(set(self.world.begun)), "a run was begun twice"
        live = {Path(job.run_dir or "") for job in queue.live(self.studio)}
        assert self.world.living <= live, "something runs that no row knows"

    def teardown(self) -> None:
        """All ends well: once nothing more happens, everything that can end has ended."""
        if not hasattr(self, "ledger"):
            return
        self.engine_ticks(2)
        for job in queue.live(self.studio):
            asked = (Path(job.run_dir or "") / run_folder.CONTROL).exists()
            assert asked == (job.stop_request is not None), f"job {job.id} was not told to stop"
        queue.pause(self.studio, False)
        for _ in range(200):
            self.engine.tick()
            for start in list(self.world.coming):
                self.world.begin(start)
            for folder in sorted(self.world.living):
                self.world.report(folder)
                if (folder / run_folder.CONTROL).exists():
                    self.obey(folder)
                else:
                    self.end(folder, "done")
            if not queue.live(self.studio) and not queue.startable(self.studio, queue.devices(self.studio)):
                break
        self.nothing_is_broken()
        for job in self.jobs():
            if job.state not in TERMINAL:
                earlier = queue.predecessor(self.studio, job)
                assert earlier is not None and earlier.state != State.SUCCEEDED, f"job {job.id} never started"
            reported = self.world.steps.get(Path(job.run_dir or ""), 0)
            stored = [point.step for point in metrics.points(self.studio, job.id)]
            assert stored == list(range(1, reported + 1))
        assert all(device.job_id is None for device in queue.devices(self.studio))
        self.patch.undo()
        self.studio.close()
        shutil.rmtree(self.home)

    # --- parts -------------------------------------------------------------------------

    def jobs(self) -> list[Job]:
        return list(queue.all_jobs(self.studio, limit=10_000))

    def any_job(self, data: st.DataObject) -> Job | None:
        jobs = self.jobs()
        return data.draw(st.sampled_from(jobs)) if jobs else None

    def any_living(self, data: st.DataObject) -> Path | None:
        living = sorted(self.world.living)
        return data.draw(st.sampled_from(living)) if living else None

    def end(self, folder: Path, how: str) -> None:
        if how == "lost":
            self.world.living.remove(folder)
            return
        if how == "killed":
            self.world.end(folder, returncode=-9, signal="SIGKILL")
            return
        if how == "done":
            self.world.say(folder, "result", state="succeeded", step=self.world.steps.get(folder, 0))
        else:
            self.world.say(folder, "error", cause="error", message="it went wrong")
        self.world.end(folder)

    def obey(self, folder: Path) -> None:
        stop = (atomic.read_json(folder / run_folder.CONTROL) or {})["stop"]
        if stop == Stop.SAVE:
            self.world.say(folder, "result", state="stopped", step=self.world.steps.get(folder, 0))
        self.world.end(folder, stop=stop)


def _template() -> Path:
    """An empty studio, made once: its migrations take longer than a walk."""
    if not _made:
        home = Path(tempfile.mkdtemp(prefix="template-", dir=MEMORY))
        open_studio(home=home).close()
        _made.append(home)
    return _made[0]


_made: list[Path] = []
atexit.register(lambda: [shutil.rmtree(home) for home in _made])

walks, steps = SIZES[os.environ.get("HYPOTHESIS_PROFILE", "quick")]
QueueMachine.TestCase.settings = settings(
    max_examples=walks,
    stateful_step_count=steps,
    deadline=None,
    derandomize=walks == SIZES["quick"][0],  # The same walks on every push; others with the deep profile.
    suppress_health_check=list(HealthCheck),
)
TestQueue = QueueMachine.TestCase
