"""A real engine process on an empty data folder, with toy workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio_core.base import atomic
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import queue, run_folder
from studio_core.runs.engine_process import LOCK, engine_alive
from tests.conftest import PATIENCE, wait_until

ROOT = Path(__file__).resolve().parents[2]
TOY = [sys.executable, "-m", "tests.faults.toy_worker"]


class EngineProcess:
    """Starts, kills and restarts the engine of one studio; kills all that is left at the end."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), "TUNESMITH_WORKER_COMMAND": json.dumps(TOY)}
        self.env["TUNESMITH_WARM_WORKERS"] = "0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **settings: object) -> None:
        given = {f"TUNESMITH_{name.upper()}": str(value) for name, value in settings.items()}
        command = [sys.executable, "-m", "jobs", "--home", str(self.studio.settings.home)]
        self.process = subprocess.Popen(command, env={**self.env, **given})
        wait_until(lambda: engine_alive(self.studio), what="the engine comes up")

    def start_to_crash(self, when: str, place: str, **settings: object) -> None:
        """Run an engine until it dies before or after it calls the function ``place``."""
        given = {f"TUNESMITH_{name.upper()}": str(value) for name, value in settings.items()}
        command = [sys.executable, "-m", "tests.faults.crashing_engine", when, place]
        crashed = subprocess.run(
            [*command, "--home", str(self.studio.settings.home)], env={**self.env, **given}, timeout=240
        )
        assert crashed.returncode == 137

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(240)
        self.process = None
        return code

    def submit(self, kind: str = "toy", **spec: Any) -> Job:
        return queue.submit(self.studio, kind=kind, name="toy", spec={"kind": kind, **spec})

    def job(self, job: Job) -> Job:
        return queue.get(self.studio, job.id)

    def wait_for(self, job: Job, *states: str, timeout: float = PATIENCE) -> Job:
        wait_until(lambda: self.job(job).state in states, timeout, f"job {job.id} is {states}")
        return self.job(job)

    def wait_for_step(self, job: Job, step: int, timeout: float = PATIENCE) -> None:
        wait_until(lambda: self.job(job).step >= step, timeout, f"job {job.id} reaches step {step}")

    def log(self) -> str:
        path = self.studio.settings.logs / "engine.log"  # An engine is alive before it writes its first line.
        return path.read_text() if path.exists() else ""


def folder(job: Job) -> Path:
    return Path(job.run_dir or "")


def supervisor_pid(job: Job) -> int:
    record = wait_until(lambda: atomic.read_json(folder(job) / run_folder.SUPERVISOR))
    return int(record["pid"])


def worker_pids(job: Job) -> list[int]:
    """Of every worker that ever ran this job."""
    path = folder(job) / "starts"
    wait_until(path.exists, what=f"the worker of job {job.id} begins")
    return [int(line.split()[0]) for line in path.read_text().splitlines()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.fixture
def engine(studio: Studio) -> Iterator[EngineProcess]:
    engine = EngineProcess(studio)
    yield engine
    if engine.process:
        engine.kill()
    for job in queue.all_jobs(studio):
        if job.state not in TERMINAL and run_folder.is_held(folder(job) / run_folder.LOCK):
            os.kill(supervisor_pid(job), signal.SIGKILL)
    wait_until(lambda: not run_folder.is_held(studio.settings.home / LOCK))
