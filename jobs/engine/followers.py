"""What sends runs to trackers: started once a run reports, and again if it dies. A run never waits for it."""

from __future__ import annotations

import logging
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from studio_core.base.settings import Settings
from studio_core.runs import run_folder
from studio_core.trackers import follower, sent, switches

log = logging.getLogger(__name__)

EVERY = 5.0
"""Seconds between two looks at a follower. The next goes on from where it was, so that nobody is in a hurry."""
# One more than once by accident: a library that brings its process down does so every time.
STARTS = 3


@dataclass
class _Followed:
    trackers: list[str]
    """Those that were on when the run began to report."""
    next_look: float = 0.0
    starts: int = 0
    process: subprocess.Popen[bytes] | None = None


class Followers:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runs: dict[int, _Followed] = {}
        # Of runs that have ended: only a parent can reap them.
        self._ending: list[subprocess.Popen[bytes]] = []

    def attend(self, run: int, folder: Path) -> None:
        """See to it that a live run is followed; called at every tick."""
        followed = self._runs.get(run)
        if followed is None:
            # Before its first report there is nothing to send, and its own imports come first.
            if not (folder / run_folder.EVENTS).exists():
                return
            # Noted first: a spoilt file is told once and not at every tick.
            followed = self._runs[run] = _Followed([])
            followed.trackers = switches.enabled(self._settings.home / switches.FILE)
        if not followed.trackers or time.monotonic() < followed.next_look:
            return
        followed.next_look = time.monotonic() + EVERY
        if followed.process is None or followed.process.poll() is not None:
            self._start(run, folder, followed)

    def leave(self, run: int, folder: Path) -> None:
        """The run has ended: one that was too short to be followed is sent whole; no other look is taken."""
        if run in self._runs:
            self._runs[run].next_look = 0.0
        self.attend(run, folder)
        followed = self._runs.pop(run, None)
        if followed and followed.process:
            self._ending.append(followed.process)
        self._ending = [process for process in self._ending if process.poll() is None]

    def _start(self, run: int, folder: Path, followed: _Followed) -> None:
        left = [name for name in followed.trackers if _is_left(folder, name)]
        if not left or followed.starts >= STARTS:
            return
        followed.starts += 1
        followed.process = follower.start(self._settings, folder, left)
        log.info("Job %d is sent to %s", run, ", ".join(left))


def _is_left(folder: Path, tracker: str) -> bool:
    """Whether nobody sends the run there now, and it has not failed for good."""
    known = sent.read(folder, tracker)
    return not sent.is_sending(folder, tracker) and (known is None or known.state == "sending")
