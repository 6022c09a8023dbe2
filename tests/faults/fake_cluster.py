"""A pretended cluster and its launcher: runs without processes, one step at each look; it can fail and lie."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.engine import tree
from jobs.engine.launcher import Launch, Launcher, Liveness
from jobs.engine.supervisor import wish
from studio_core.base import atomic
from studio_core.runs import run_folder
from studio_core.runs.run_folder import EventWriter


@dataclass
class FakeRun:
    """What one start came to: on its way at first, then alive, if it was let."""

    launch: Launch
    alive: bool = False
    elapsed: float = 0.0

    def __post_init__(self) -> None:
        self.life = self._life()

    def _life(self) -> Iterator[None]:
        folder = self.launch.run_dir
        yield
        lock = run_folder.hold(folder / run_folder.LOCK, patience=0.0)
        if lock is None:
            return
        try:
            allowed = (atomic.read_json(folder / run_folder.LAUNCH) or {}).get("claim")
            if (folder / run_folder.SUPERVISOR).exists() or allowed != self.launch.claim:
                return
            self.alive = True
            record = {"pid": 0, "ticks": 0, "boot_id": tree.boot_id(), "tree": "", "claim": self.launch.claim}
            atomic.write_json(folder / run_folder.SUPERVISOR, record)
            exit_record: dict[str, Any] = {
                "returncode": None, "signal": None, "stop": wish(folder).get("stop"), "forced": False,
                "timed_out": False, "strays": 0, "oom_kills": 0, "at": "2026-01-01T00:00:00.000000Z",
            }  # fmt: skip
            if exit_record["stop"] is None:
                yield from self._work(folder, exit_record)
            atomic.write_json(folder / run_folder.EXIT, exit_record)
        finally:
            self.alive = False
            os.close(lock)

    def _work(self, folder: Path, record: dict[str, Any]) -> Iterator[None]:
        spec = json.loads((folder / run_folder.SPEC).read_text())
        with open(folder / "starts", "a") as starts, open(folder / run_folder.LOG, "a") as log:
            starts.write("0 None\n")
            log.write("toy begins\n")
        events, steps, step = EventWriter(folder), spec.get("steps", 5), 0
        try:
            while step < steps and record["stop"] is None:
                yield
                step += 1
                events.write("metrics", step=step, total_steps=steps, epoch=0.0, values={"loss": 1.0 / step})
                self.elapsed += spec.get("pause", 0)
                record["timed_out"] = self.launch.seconds is not None and self.elapsed > self.launch.seconds
                record["stop"] = "save" if record["timed_out"] else wish(folder).get("stop")
            if record["stop"] == "cancel":
                record.update(returncode=-9, signal="SIGKILL")
                return
            record["returncode"] = 0
            state = "stopped" if record["stop"] else "succeeded"
            events.write(
                "result", state=state, model="model", kind="full", step=step, total_steps=steps, seconds=1.0,
                peak_memory=0, parameters=1,
            )  # fmt: skip
        finally:
            events.close()


@dataclass
class FakeCluster:
    """Outlives the launchers that speak with it."""

    runs: list[FakeRun] = field(default_factory=list)
    reachable: bool = True
    delivers: bool = True
    """Whether a start that is sent to it while it cannot be reached arrives all the same."""
    lost_starts: int = 0
    """How many of the next starts come to nothing without a word."""
    doubled: bool = False
    """Whether each start is carried out twice."""
    claims: dict[Path, Liveness] = field(default_factory=dict)
    """What it says of some runs, true or not."""
    starts: list[Launch] = field(default_factory=list)

    def start(self, launch: Launch) -> None:
        self.starts.append(launch)
        if self.lost_starts:
            self.lost_starts -= 1
        elif self.reachable or self.delivers:
            self.runs += [FakeRun(launch) for _ in range(1 + self.doubled)]
        self._require_reachable()

    def poll(self, run_dir: Path) -> Liveness:
        self._require_reachable()
        self.tick()
        if run_dir in self.claims:
            return self.claims[run_dir]
        here = [run for run in self.runs if run.launch.run_dir == run_dir]
        if any(run.alive for run in here):
            return Liveness.ALIVE
        return Liveness.UNKNOWN if here else Liveness.ENDED

    def tick(self) -> None:
        """Everything gets on by one step."""
        self.runs = [run for run in self.runs if next(run.life, self) is not self]

    def lose(self, run_dir: Path) -> None:
        """A machine is gone, and all on it."""
        for run in self.runs:
            if run.launch.run_dir == run_dir:
                run.life.close()  # type: ignore[attr-defined]
        self.runs = [run for run in self.runs if run.launch.run_dir != run_dir]

    def _require_reachable(self) -> None:
        if not self.reachable:
            raise ConnectionError("no route to the cluster")


class FakeLauncher(Launcher):
    """All that has to be written where the run folder is shared."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster

    def start(self, launch: Launch) -> None:
        launch.write()
        self.cluster.start(launch)

    def poll(self, run_dir: Path) -> Liveness:
        return self.cluster.poll(run_dir)
