"""The engine as seen from outside: whether it is there, and starting it."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from studio_core.base.about import studio_version
from studio_core.base.errors import StudioError
from studio_core.base.migrations import newest
from studio_core.base.studio import Studio
from studio_core.runs import run_folder

LOCK = "engine.lock"
"""In the data folder; held by the engine as long as it lives. Inside: ``{"pid", "host", "since", "code"}``."""

log = logging.getLogger("tunesmith.engine_process")

_ROOT = Path(__file__).resolve().parents[2]
# Seconds, several times what imports and a new schema take, for a machine that is busy with other things.
_PATIENCE = 15.0


def engine_alive(studio: Studio) -> bool:
    return run_folder.is_held(studio.settings.home / LOCK)


def ensure_engine(studio: Studio) -> None:
    """Start the engine if none is alive, and wait until it is. Several processes may call this at once.

    The engine outlives its caller. One that an older studio left behind is ended first: it would not know what
    this one writes. Raises StudioError if it does not come up in 15 seconds.
    """
    if engine_alive(studio) and not _end_outdated(studio):
        return
    output_file = studio.settings.logs / "engine-start.log"
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    with open(output_file, "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "jobs", "--home", str(studio.settings.home)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=studio.settings.home,
            env={**os.environ, **_settings_of(studio), "PYTHONPATH": path},
            # It outlives the terminal and the web process that started it.
            start_new_session=True,
        )
    _started[:] = [*(earlier for earlier in _started if earlier.poll() is None), process]
    deadline = time.monotonic() + _PATIENCE
    while not engine_alive(studio):
        if time.monotonic() > deadline:
            raise StudioError("engine.not_starting", log=output_file)
        # Somebody waits in front of a page, and a look costs as little as a lock.
        time.sleep(0.02)


def code() -> list[int]:
    """What tells newer engines from older ones: the number of the schema that they know, and the studio's version."""
    version = re.findall(r"\d+", studio_version())
    # A list is compared part by part: the schema decides first, and 0.10 is newer than 0.9.
    return [int(newest()), *map(int, version[:3])]


def _end_outdated(studio: Studio) -> bool:
    """End an engine of this machine that is older than this code; its runs go on, and the next one adopts them."""
    path = studio.settings.home / LOCK
    try:
        holder = json.loads(path.read_text())
        known = holder.get("code", [])
        # The engine of another machine on a shared folder is not ours to end,
        # and a newer one knows all that we write.
        if holder["host"] != socket.gethostname() or known >= code():
            return False
        os.kill(int(holder["pid"]), signal.SIGTERM)
    except (ValueError, KeyError, TypeError, ProcessLookupError):
        # What holds the lock is just beginning, and so of this version: it has not written yet who it is,
        # or the file still names the engine before it.
        return False
    log.info("Engine %s is older than this studio and is replaced", holder["pid"])
    deadline = time.monotonic() + _PATIENCE
    while engine_alive(studio):
        if time.monotonic() > deadline:
            raise StudioError("engine.not_ending", pid=holder["pid"], log=studio.settings.logs / "engine.log")
        time.sleep(0.02)
    return True


# Five seconds: soon enough that a queue hardly stands still, seldom enough
# that an engine that cannot start does not fill the log.
def keep_engine(studio: Studio, stopped: threading.Event, interval: float = 5.0) -> None:
    """Start the engine again whenever it has died, until ``stopped`` is set or the data folder is gone."""
    while not stopped.wait(interval) and studio.settings.database.exists():
        try:
            ensure_engine(studio)
        except StudioError as error:
            log.warning("%s", error)


_started: list[subprocess.Popen[bytes]] = []
"""Kept so that the interpreter does not warn of a child that rightly goes on."""


def _settings_of(studio: Studio) -> dict[str, str]:
    """The settings that were given in code or on the command line hold for the engine too."""
    return {f"TUNESMITH_{name.upper()}": str(value) for name, value in studio.settings.model_dump().items()}
