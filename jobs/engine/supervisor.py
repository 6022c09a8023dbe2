"""One process for each run, outside the engine: ``python -m jobs.engine.supervisor RUN_DIR``.

It locks the run first and for its whole life, starts the worker, carries out what
``control.json`` asks for, and writes ``exit.json`` when the last process of the tree
is dead. If it is killed itself, the kernel frees the lock and kills the worker.

With ``--warm WARM_DIR`` it starts a worker that does its imports and then waits. One
line on standard input, ``{"run_dir", "claim", "env"}``, makes both carry out that
run; the end of the input, if no line came, ends them.

``TUNESMITH_WORKER_COMMAND``, a JSON list, replaces ``python -m jobs.worker``; the
folder is appended to it, and ``--warm`` before the folder of a warm one.

Imports the standard library only, so that it starts in an instant and stays small.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.engine import tree
from studio_core.base import atomic
from studio_core.runs import run_folder

# Seconds between two looks at control.json: a stop is heard at most so much later (decision 2).
POLL = 0.2
# EX_TEMPFAIL of sysexits.h, which no worker of ours ends with.
NOT_OURS = 75
"""Exit code when the run is held by another supervisor, or was claimed anew."""


class Supervisor:
    def __init__(self) -> None:
        self.mark = secrets.token_hex(8)
        self.worker: subprocess.Popen[bytes] | None = None
        self.log = Path()
        self.stop: str | None = None
        self.forced = False
        self.timed_out = False
        self._limit: float | None = None
        # For a folder that was begun by hand; the engine writes its own setting into launch.json.
        self._grace = 120.0
        self._deadline: float | None = None
        self.told_to_end = False
        # The kernel counts since boot, so that only what is added during the run says anything.
        self._oom_kills = tree.oom_kills()
        # SIGCHLD writes to this pipe, so that select() returns as soon as the worker ends and not
        # after POLL. A handler that waited for a full pipe would hang for ever.
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_terminate)
        # Ctrl-C in a terminal goes to everything that was started there; a run ends by its file only.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        tree.adopt_orphans()

    def _on_terminate(self, *_: object) -> None:
        self.told_to_end = True  # The machine is going down: as if the user had asked to save.

    def start(self, folder: Path, *warm: str) -> None:
        command = json.loads(os.environ.get("TUNESMITH_WORKER_COMMAND", "null"))
        command = command or [sys.executable, "-P", "-m", "jobs.worker"]
        self.log = folder / run_folder.LOG
        with open(self.log, "ab") as log:
            self.worker = subprocess.Popen(
                [*command, *warm, str(folder)],
                stdin=subprocess.PIPE if warm else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, tree.MARK: self.mark},
                # A group of its own, so that a signal can go to all of it where no process can be listed.
                start_new_session=True,
                preexec_fn=tree.die_with_parent,  # Safe: this process has no threads.
            )

    def take(self, run_dir: Path, claim: str | None) -> bool:
        """Lock the run. False if it is held or was held before, or if ``claim`` may not start it any more."""
        lock = run_folder.hold(run_dir / run_folder.LOCK)
        if lock is None:
            return False
        launch = atomic.read_json(run_dir / run_folder.LAUNCH) or {}
        begun = (run_dir / run_folder.SUPERVISOR).exists()  # Another start was first, and is over already.
        if begun or (claim is not None and claim != launch.get("claim")):
            os.close(lock)
            return False
        self._grace = float(launch.get("grace") or self._grace)
        if launch.get("seconds") is not None:
            self._limit = time.monotonic() + float(launch["seconds"])
        me = os.getpid()
        record = {"pid": me, "ticks": tree.start_ticks(me), "boot_id": tree.boot_id()}
        atomic.write_json(run_dir / run_folder.SUPERVISOR, {**record, "tree": self.mark, "claim": claim})
        return True

    def watch(self, run_dir: Path) -> None:
        """Until the worker has ended; then until its whole tree has."""
        while self.alive():
            self.obey(run_dir)
            # Here and not in the worker: what fills a disk may be a library that repeats itself for ever.
            run_folder.trim_log(self.log)
            self.wait()
        strays = self.sweep()
        code = self.worker.returncode if self.worker else None
        document = {
            "returncode": code,
            "signal": signal.Signals(-code).name if code is not None and code < 0 else None,
            "stop": self.stop,
            "forced": self.forced,
            "timed_out": self.timed_out,
            "strays": strays,
            "oom_kills": tree.oom_kills() - self._oom_kills,
            "at": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        }
        atomic.write_json(run_dir / run_folder.EXIT, document)

    def alive(self) -> bool:
        return self.worker is not None and self.worker.poll() is None

    def obey(self, run_dir: Path) -> None:
        asked = wish(run_dir)
        # A cancel overtakes a save that is under way; the other way round nothing changes.
        if asked.get("stop") == "cancel" and self.stop != "cancel":
            self.stop, self._deadline = "cancel", None
            self.kill()
        elif self.stop is None and (asked.get("stop") == "save" or self.told_to_end or self._is_over()):
            self.stop = "save"
            self._deadline = time.monotonic() + float(asked.get("grace", self._grace))
            if self.worker:
                self.worker.terminate()
        if self._deadline is not None and time.monotonic() > self._deadline:
            self.forced, self._deadline = True, None
            self.kill()

    def _is_over(self) -> bool:
        self.timed_out = self._limit is not None and time.monotonic() > self._limit
        return self.timed_out

    def kill(self) -> int:
        return tree.kill(self.mark, os.getpid(), self.worker.pid if self.worker else None)

    def sweep(self) -> int:
        """Kill what the worker left behind; returns only when none of it lives. How many there were."""
        # One second for children that end by themselves once the worker has
        # (loaders of data, ranks); whoever lives longer is a stray.
        strays, patience = 0, time.monotonic() + 1.0
        # Nobody can be looked for, so that the group is killed without waiting.
        if not tree.VISIBLE:
            self.kill()
        while left := len(tree.members(self.mark, os.getpid())):
            if time.monotonic() > patience:  # Until then they may end by themselves.
                strays = max(strays, left)
                self.kill()
            tree.reap()
            # Short, since the device is not free before the last of them is dead.
            time.sleep(0.02)
        return strays

    def wait(self, *inputs: int) -> list[int]:
        """Until a child ends, an input can be read, or it is time to look around."""
        ready = select.select([self._woken, *inputs], [], [], POLL)[0]
        if self._woken in ready:
            os.read(self._woken, 4096)
        return ready


def wish(run_dir: Path) -> dict[str, Any]:
    """What the user asked for, if anything. A file that was spoilt by hand must not end a run."""
    try:
        return atomic.read_json(run_dir / run_folder.CONTROL) or {}
    except ValueError:
        return {}


def run_cold(run_dir: Path, claim: str | None) -> int:
    supervisor = Supervisor()
    if not supervisor.take(run_dir, claim):
        return NOT_OURS
    supervisor.stop = wish(run_dir).get("stop")
    if supervisor.stop is None:  # A run that was stopped before it began never begins.
        supervisor.start(run_dir)
    supervisor.watch(run_dir)
    return 0


def run_warm(warm_dir: Path) -> int:
    supervisor = Supervisor()
    # Whoever clears the folder of warm workers leaves those alone that are held.
    run_folder.hold(warm_dir / run_folder.LOCK)
    supervisor.start(warm_dir, "--warm")
    line = _order(supervisor)
    order = json.loads(line) if line else {}
    run_dir = Path(order.get("run_dir", ""))
    if not line or not supervisor.take(run_dir, order["claim"]):
        supervisor.kill()
        supervisor.sweep()
        return NOT_OURS if line else 0
    # Before the worker hears of the run: from then on it appends there,
    # and what its imports printed is kept.
    os.replace(supervisor.log, run_dir / run_folder.LOG)
    supervisor.log = run_dir / run_folder.LOG
    supervisor.stop = wish(run_dir).get("stop")
    if supervisor.stop is not None:
        supervisor.kill()
    elif supervisor.worker and supervisor.worker.stdin:
        with contextlib.suppress(BrokenPipeError):  # Then the worker has died, as watch() will tell.
            supervisor.worker.stdin.write(line)
            supervisor.worker.stdin.close()
    shutil.rmtree(warm_dir, ignore_errors=True)
    supervisor.watch(run_dir)
    return 0


def _order(supervisor: Supervisor) -> bytes:
    """The line that names the run; empty if the engine or the worker ended before it came."""
    line = b""
    while not line.endswith(b"\n"):
        if not supervisor.alive() or supervisor.told_to_end:
            return b""
        if 0 in supervisor.wait(0):
            # As much as a pipe holds on Linux: one read is the whole line.
            part = os.read(0, 1 << 16)
            if not part:
                return b""
            line += part
    return line


def main() -> int:
    os.umask(0o077)
    parser = argparse.ArgumentParser(prog="python -m jobs.engine.supervisor")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--warm", action="store_true", help="start a worker that waits for its run")
    parser.add_argument("--claim", help="the claim that the engine wrote to launch.json")
    given = parser.parse_args()
    return run_warm(given.folder) if given.warm else run_cold(given.folder, given.claim)


if __name__ == "__main__":
    sys.exit(main())
