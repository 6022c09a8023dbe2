"""Starting the process that sends a run to trackers, ``python -m jobs.tracking``, while it goes on or afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from studio_core.base.errors import BadInput, Conflict
from studio_core.base.settings import PREFIX, Settings
from studio_core.base.studio import Studio
from studio_core.runs import queue, run_folder
from studio_core.runs.kinds import kind_of
from studio_core.trackers import named, sent, switches

LOG = "trackers.log"
"""In the folder of logs: what followers say; what a tracker's library prints is in the run's folder."""

# Seconds, many times what its imports take.
_PATIENCE = 15.0
_ROOT = Path(__file__).resolve().parents[2]


def start(settings: Settings, run_dir: Path, trackers: Sequence[str]) -> subprocess.Popen[bytes]:
    """Returns at once. It outlives its starter, ends some seconds after the run, and harms neither if it fails."""
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    own = {f"{PREFIX}HOME": str(settings.home), f"{PREFIX}TRACKERS_PYTHON": settings.trackers_python}
    with open(settings.logs / LOG, "ab") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "jobs.tracking", str(run_dir), *trackers],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=settings.home,
            env={**os.environ, **own, "PYTHONPATH": path},
            start_new_session=True,
        )


def send(studio: Studio, job_id: int, name: str, again: bool = False) -> subprocess.Popen[bytes]:
    """Send a run to a tracker, also one that is off, from where it was left; ``again``: anew, as another run there.

    Raises ``BadInput`` for a job that is no training or has reported nothing, and where the package is not installed;
    ``Conflict`` while it is being sent, or when all of it is there.
    """
    tracker, job = named(name), queue.get(studio, job_id)
    run_dir = Path(job.run_dir or "")
    if not kind_of(job.kind).tracked:
        raise BadInput("trackers.no_training", run=job_id)
    if not job.run_dir or not (run_dir / run_folder.EVENTS).exists():
        raise BadInput("trackers.nothing_yet", run=job_id)
    if not switches.is_installed(tracker, studio.settings.trackers_python):
        raise switches.missing(tracker, studio.settings.trackers_python)
    if sent.is_sending(run_dir, name):
        raise Conflict("trackers.being_sent", run=job_id, tracker=name)
    known = sent.read(run_dir, name)
    if known and known.state == "sent" and not known.trouble and not again:
        raise Conflict("trackers.all_sent", run=job_id, tracker=name, where=known.where)
    if again or (known and known.state == "sent"):
        # What is only kept here is sent anew as well: its server has nothing of it.
        sent.file(run_dir, name).unlink(missing_ok=True)
    process = start(studio.settings, run_dir, [name])
    _started[:] = [*(earlier for earlier in _started if earlier.poll() is None), process]
    # Until it holds its lock, so that whoever looks next sees it at work.
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and not sent.is_sending(run_dir, name) and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


_started: list[subprocess.Popen[bytes]] = []
"""Kept so that the interpreter does not warn of a child that rightly goes on."""
