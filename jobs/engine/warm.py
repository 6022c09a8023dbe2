"""Workers that have done their imports already and wait for a run.

A warm worker sits under its own supervisor from birth. A run is handed to it as one
line on that supervisor's input; it may come before the imports are done.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio_core.runs import run_folder

log = logging.getLogger(__name__)

READY = "ready"
"""A file in the warm worker's folder: it appears when the imports are done."""
PAUSE = 8.0
"""Seconds after a start before the next warm-up: its imports would slow the run's first steps."""


@dataclass
class WarmWorker:
    mask: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def ready(self) -> bool:
        return (self.folder / READY).exists()


@dataclass
class WarmPool:
    """``spawn`` starts a supervisor on a folder, bound to the GPU of a mask."""

    folder: Path
    limit: int
    spawn: Callable[[Path, str], subprocess.Popen[bytes]]
    workers: list[WarmWorker] = field(default_factory=list)
    failures: int = 0
    _next: float = 0.0

    def clear(self) -> None:
        """Remove what earlier engines left; their idle workers ended with them."""
        for old in self.folder.glob("*") if self.folder.is_dir() else ():
            if not run_folder.is_held(old / run_folder.LOCK):
                shutil.rmtree(old, ignore_errors=True)

    def keep(self, masks: list[str]) -> None:
        """Have a warm worker for each of the masks, as far as the limit allows; called at every tick."""
        self._bury()
        wanted = masks[: self.limit]
        for worker in list(self.workers):
            if worker.mask in wanted:
                wanted.remove(worker.mask)
        # One at a time: the imports of several would fight for the cores.
        if wanted and len(self.workers) < self.limit and time.monotonic() >= self._next:
            self._next = time.monotonic() + PAUSE
            folder = self.folder / secrets.token_hex(4)
            folder.mkdir(parents=True, mode=0o700)
            self.workers.append(WarmWorker(wanted[0], folder, self.spawn(folder, wanted[0])))

    def hand_over(self, mask: str, order: dict[str, Any]) -> subprocess.Popen[bytes] | None:
        """Give the run to a warm worker of this mask; its supervisor, or None if there is none."""
        # The next warm worker waits, so that its imports take no core from the first steps of this run.
        self._next = time.monotonic() + PAUSE
        for worker in [worker for worker in self.workers if worker.mask == mask]:
            self.workers.remove(worker)
            # One that lived until now shows that the imports work: the pauses begin anew.
            self.failures = 0
            assert worker.process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                worker.process.stdin.write(json.dumps(order).encode() + b"\n")
                worker.process.stdin.close()
                return worker.process
            # Its pipe is broken, since it died after the last tick; the next one with these cards is tried.
            worker.process.wait()
        return None

    def close(self) -> None:
        """Let the idle ones end, by ending their input."""
        for worker in self.workers:
            if worker.process.stdin:
                worker.process.stdin.close()
        for worker in self.workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                # Seconds for one in the middle of its imports; it may be left alone,
                # since it ends when it reads its input.
                worker.process.wait(timeout=3)
            shutil.rmtree(worker.folder, ignore_errors=True)
        self.workers.clear()

    def _bury(self) -> None:
        for worker in [worker for worker in self.workers if worker.process.poll() is not None]:
            self.workers.remove(worker)
            self.failures += 1
            # 10, 20, 40 seconds, up to ten minutes: what cannot be imported is not tried
            # at each tick, and what was mended is noticed before long.
            pause = min(5.0 * 2**self.failures, 600.0)
            self._next = time.monotonic() + pause
            last = run_folder.log_tail(worker.folder, 2048).strip()
            log.warning(
                "A warm worker died (%d times now); the next in %.0f s. %s", self.failures, pause, last
            )
            shutil.rmtree(worker.folder, ignore_errors=True)
