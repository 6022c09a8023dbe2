"""How a run is started, looked after and stopped; the run folder is the only contract.

``Launcher`` is what the loop needs. ``LocalLauncher`` starts supervisors on this machine.
Any other one must pass ``tests/faults/launcher_conformance.py``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from jobs.engine import devices, tree
from jobs.engine.warm import WarmPool
from studio_core.base import atomic
from studio_core.base.settings import Settings
from studio_core.base.states import Stop
from studio_core.runs import run_folder

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]


class Liveness(StrEnum):
    ALIVE = "alive"
    ENDED = "ended"
    """Nothing of it lives, and nothing of it will start."""
    UNKNOWN = "unknown"
    """Not to be judged now: neither finished, nor killed, nor started again."""


@dataclass(frozen=True)
class Launch:
    run_dir: Path
    claim: str
    seconds: float | None
    """Time after which the run saves and ends; None for no limit."""
    grace: float
    """Seconds that it then has for saving."""
    mask: str
    """UUIDs of the GPUs that the run may see, with commas; empty for none."""
    env: dict[str, str]
    """What may still be set after a worker's imports: its threads."""
    light: bool = False
    """It loads no model: a warm worker would be wasted on it."""

    def write(self) -> None:
        """Note in the run's folder that this start, and no other, may come to life."""
        document = {"claim": self.claim, "seconds": self.seconds, "grace": self.grace}
        atomic.write_json(self.run_dir / run_folder.LAUNCH, document)


class Launcher(ABC):
    """Start, poll, stop, logs. How a run went is never asked of it: that stands in the run's folder.

    Where the folder is shared with the place of the run, only ``start`` and ``poll`` are to be written.
    Every call may be repeated, and comes from an engine that may not be the one that started the run.
    """

    @abstractmethod
    def start(self, launch: Launch) -> None:
        """Begin; returns at once. Only one start of a run's folder ever comes to life.

        OSError: it cannot start, and never will. ConnectionError or TimeoutError: nobody knows
        whether it was started; ``poll`` will tell.
        """

    @abstractmethod
    def poll(self, run_dir: Path) -> Liveness:
        """Whether anything of the run lives, wherever it runs."""

    def stop(self, run_dir: Path, stop: Stop, grace: float) -> None:
        """Ask the run to end, also one that has not begun yet; returns at once."""
        atomic.write_json(run_dir / run_folder.CONTROL, {"stop": stop.value, "grace": grace})

    def withdraw(self, run_dir: Path) -> bool:
        """Make sure that a start on its way never comes to life; False if it has already."""
        if not run_dir.is_dir():
            return True  # It is made before anything is started on it.
        # Under the run's own lock: no supervisor can take the run between the look and the withdrawal.
        lock = run_folder.hold(run_dir / run_folder.LOCK, patience=0.0)
        if lock is None:
            return False
        with contextlib.closing(os.fdopen(lock)):
            if (run_dir / run_folder.SUPERVISOR).exists():
                return False  # It came to life and has ended since: that has to be judged.
            # No claim is empty, so that a start which is still on its way matches none.
            atomic.write_json(run_dir / run_folder.LAUNCH, {"claim": ""})
        return True

    def logs(self, run_dir: Path, limit: int) -> str:
        """The last ``limit`` bytes of what the run printed, from the start of a line."""
        return run_folder.log_tail(run_dir, limit)

    def keep_warm(self, masks: list[str]) -> None:  # noqa: B027 - nothing to do is a good answer
        """Make ready for runs on these free devices; called at every tick."""

    def close(self) -> None:  # noqa: B027
        """Let go. Runs go on."""


class LocalLauncher(Launcher):
    def __init__(self, settings: Settings) -> None:
        self._home = settings.home
        self._logs = settings.logs / "supervisors.log"
        self._pool = WarmPool(settings.home / "warm", settings.warm_workers, self._spawn_warm)
        self._pool.clear()
        # Processes that this engine started, until they have ended: only a parent can reap them.
        self._starting: dict[Path, subprocess.Popen[bytes]] = {}

    @property
    def warm_ready(self) -> bool:
        """Whether a warm worker has done its imports."""
        return any(worker.ready for worker in self._pool.workers)

    def start(self, launch: Launch) -> None:
        self._starting = {folder: one for folder, one in self._starting.items() if one.poll() is None}
        # Before anything is started: a supervisor compares its claim with this file.
        launch.write()
        order = {"run_dir": str(launch.run_dir), "claim": launch.claim, "env": launch.env}
        process = None if launch.light else self._pool.hand_over(launch.mask, order)
        if process is None:
            # A warm worker was bound to its cards when it was born; a cold one is bound now.
            env = {**devices.binding(launch.mask), **launch.env}
            process = self._spawn([str(launch.run_dir), "--claim", launch.claim], env, subprocess.DEVNULL)
        self._starting[launch.run_dir] = process

    def poll(self, run_dir: Path) -> Liveness:
        if run_folder.is_held(run_dir / run_folder.LOCK):
            return Liveness.ALIVE
        process = self._starting.get(run_dir)
        # A supervisor takes its lock an instant after it is born; to call the
        # run ended now would start it twice.
        if process is not None and process.poll() is None:
            return Liveness.UNKNOWN  # On its way, or about to end.
        self._starting.pop(run_dir, None)
        supervisor = atomic.read_json(run_dir / run_folder.SUPERVISOR)
        if supervisor and not atomic.read_json(run_dir / run_folder.EXIT):
            return self._after_lost(supervisor)
        return Liveness.ENDED

    def _after_lost(self, supervisor: dict[str, Any]) -> Liveness:
        """A supervisor was killed: what it left behind must be dead before its device is free."""
        mark = supervisor["tree"]
        # After a boot none of the old processes lives, and their numbers belong to others.
        if supervisor["boot_id"] != tree.boot_id():
            return Liveness.ENDED
        # Twice: a process that is just becoming another program shows no mark for an instant.
        return Liveness.UNKNOWN if tree.kill(mark) or tree.kill(mark) else Liveness.ENDED

    def keep_warm(self, masks: list[str]) -> None:
        self._pool.keep(masks)

    def close(self) -> None:
        self._pool.close()

    def _spawn_warm(self, folder: Path, mask: str) -> subprocess.Popen[bytes]:
        return self._spawn([str(folder), "--warm"], devices.binding(mask), subprocess.PIPE)

    def _spawn(self, arguments: list[str], env: dict[str, str], stdin: int) -> subprocess.Popen[bytes]:
        # With -P below: the modules of this studio, never those of the folder in which it happens to run.
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        with open(self._logs, "ab") as output:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "jobs.engine.supervisor", *arguments],
                stdin=stdin,
                stdout=output,
                stderr=output,
                cwd=self._home,
                env={**os.environ, "PYTHONPATH": path, tree.STUDIO: str(self._home), **env},
                # In a session of its own: Ctrl-C in the engine's terminal does not reach the runs.
                start_new_session=True,
                bufsize=0,
            )
