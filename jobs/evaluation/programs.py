"""Programs of others that a job waits for: each in a process group of its own, which ends as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from jobs.generation.answering import Stopping

# Seconds between two looks whether the user wants it to stop, and until it is killed if it does not.
_LOOK, _PATIENCE = 0.2, 10.0
# They would have it import what the worker has.
_OF_THE_WORKER = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


def carried_out(
    command: Sequence[str],
    environment: Mapping[str, str],
    stopping: Stopping,
    *,
    folder: Path | None = None,
    log: IO[bytes] | None = None,
    seconds: float | None = None,
) -> int | None:
    """The exit code; None if it took longer than ``seconds`` and was ended. It is ended too if the user stops.

    ``command`` is a list, which no shell reads; ``environment`` comes on top of the worker's. ``folder``: where it
    works; ``log``: what it prints goes there, else into the job's log. Raises ``OSError`` if it cannot be started.
    """
    variables = {name: value for name, value in os.environ.items() if name not in _OF_THE_WORKER}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT if log else None,
        cwd=folder,
        env={**variables, **environment},
        start_new_session=True,
    )
    until = time.monotonic() + seconds if seconds is not None else None
    try:
        while not stopping():
            with suppress(subprocess.TimeoutExpired):
                return process.wait(_LOOK)
            if until is not None and time.monotonic() > until:
                return None
        return None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """All that is left of the group: politely first, then not. What it has started may outlive the program itself."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
