"""One run sent to one tracker: from where it was left, until the run has ended and all of it is there."""

from __future__ import annotations

import contextlib
import logging
import os
import time
import urllib.error
import urllib.request
from itertools import islice
from pathlib import Path

from jobs.engine import ending, tree
from jobs.tracking import events
from jobs.tracking.child import Child, SinkFailed
from studio_core.base import atomic
from studio_core.base.settings import Settings
from studio_core.base.states import State
from studio_core.runs import run_folder
from studio_core.trackers import named, sent
from studio_core.trackers.base import FOLDER
from studio_core.trackers.sent import Sent
from studio_core.trackers.switches import FILE, switches

log = logging.getLogger(__name__)

# A curve that somebody watches elsewhere; each look costs a stat of one file.
EVERY = 2.0
"""Seconds between two looks at what the run has reported."""
BATCH = 500
"""Lines in one message: small enough that the offset is never far behind."""
# A library's imports take seconds, and up to a minute beside a training on every core.
BEGIN_SECONDS = 180.0
WRITE_SECONDS = 60.0
END_SECONDS = 180.0
"""A library may send what it has kept back before it says that it is done."""
REACH_SECONDS = 5.0
PAUSES = (0.0, 30.0, 120.0)
"""Seconds before each try; a service that is restarted is back in two minutes. A run that has ended does not wait."""


class Following:
    def __init__(self, settings: Settings, run_dir: Path, tracker: str) -> None:
        self._run_dir, self._tracker = run_dir, named(tracker)
        self._python = settings.trackers_python
        self._switch = switches(settings.home / FILE)[tracker]
        self._options = self._switch.checked(self._tracker)
        self._folder = settings.home / FOLDER / tracker
        self._sent = sent.read(run_dir, tracker) or Sent()

    def follow(self) -> None:
        """Until all is sent, or it has failed as often as it may; what became of it stands in the run's folder."""
        held = self._lock()
        if held is None:
            return
        with contextlib.closing(os.fdopen(held)):
            self._sent.state = "sending"
            for pause in PAUSES:
                self._wait(pause)
                try:
                    self._send_all()
                    return
                except SinkFailed as failure:
                    log.warning("%s of %s: %s %s", self._tracker.name, self._run_dir, failure, failure.values)
                    self._note(failure)
                    if failure.trouble == "not_installed":
                        break
            self._sent.state = "failed"
            self._write()

    def _lock(self) -> int | None:
        (self._run_dir / sent.FOLDER).mkdir(exist_ok=True, mode=0o700)
        # A look by a page holds it for an instant.
        return run_folder.hold(sent.lock(self._run_dir, self._tracker.name), patience=1.0)

    def _send_all(self) -> None:
        address = self._tracker.address(self._options, self._switch.key.get_secret_value())
        if address:
            address = self._reached(address)
        child = Child(self._tracker.name, self._python, sent.log(self._run_dir, self._tracker.name))
        try:
            self._begin(child, address)
            while self._run_dir.is_dir():
                over = not run_folder.is_held(self._run_dir / run_folder.LOCK)
                if self._send_some(child):
                    continue
                if over:
                    self._finish(child, address)
                    return
                time.sleep(EVERY)
        finally:
            child.close()

    def _finish(self, child: Child, address: str) -> None:
        try:
            child.ask({"end": self._end(), "at": time.time()}, END_SECONDS)
        except SinkFailed:
            if address and self._tracker.told_late:
                self._sent.offset, self._sent.run = 0, ""
            raise
        self._sent.state = "sent"
        self._write()

    def _reached(self, address: str) -> str:
        """The address, or nothing where it does not answer and the tracker keeps the run here to be sent later."""
        try:
            urllib.request.urlopen(address, timeout=REACH_SECONDS).close()
        except urllib.error.HTTPError:
            pass  # It answered; whether it takes the key is said when the run is begun.
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            failure = SinkFailed("not_reached", address=address, reason=str(reason)[:200])
            if not self._tracker.kept_offline:
                raise failure from error
            failure.trouble = "kept"
            self._note(failure)
            return ""
        if self._sent.trouble == "kept":
            self._sent.trouble = ""
        return address

    def _begin(self, child: Child, address: str) -> None:
        before, step = self._earlier()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        config = events.configuration(self._run_dir)
        begin = {
            "run": self._sent.run or before,
            "name": f"{self._run_dir.name} {self._name()}",
            "config": config,
            "folder": str(self._folder),
            "options": self._options.model_dump(),
            "key": self._switch.key.get_secret_value(),
            "address": address,
            "step": 0 if self._sent.run else step,
        }
        answer = child.ask({"begin": begin}, BEGIN_SECONDS)
        self._sent.run, self._sent.where = answer["run"], answer["where"]
        kept = "" if address else self._tracker.opened_by(self._folder, answer["run"], self._options)
        self._sent.opened_by = kept
        # What was wrong the last time is over; that a run is only kept here is not.
        if self._sent.trouble != "kept":
            self._sent.trouble = ""
        self._sent.values |= {"command": kept} if self._sent.trouble else {}
        self._write()

    def _earlier(self) -> tuple[str, int]:
        """What the tracker calls the run that this one resumes, if it has it, and the step it goes on from."""
        checkpoint = (atomic.read_json(self._run_dir / run_folder.SPEC) or {}).get("resume_from")
        if not checkpoint:
            return "", 0
        known = sent.read(Path(checkpoint).parents[1], self._tracker.name)
        step = Path(checkpoint).name.rpartition("-")[2]
        return (known.run, int(step)) if known and step.isdigit() else ("", 0)

    def _name(self) -> str:
        spec = (atomic.read_json(self._run_dir / run_folder.SPEC) or {}).get("spec") or {}
        return str(spec.get("name") or spec.get("method") or "run")

    def _send_some(self, child: Child) -> bool:
        """Whether there was something new."""
        path = self._run_dir / run_folder.EVENTS
        if not path.exists():
            return False
        lines = list(islice(run_folder.new_lines(path, self._sent.offset), BATCH))
        if not lines:
            return False
        found = list(events.parsed(line for _, line in lines))
        messages = events.told(found)
        if messages:
            child.ask({"write": messages}, WRITE_SECONDS)
        # Only now: what was not answered is sent again, and a point twice is one point.
        self._sent.offset = lines[-1][0]
        steps = [message["step"] for message in messages if message["type"] == "metrics"]
        self._sent.step = max([self._sent.step, *steps])
        self._write()
        return True

    def _end(self) -> State:
        """The state in which the run has ended, as the engine judges it."""
        record = atomic.read_json(self._run_dir / run_folder.EXIT)
        word = ending.last_word(self._run_dir)
        if record is None:
            supervisor = atomic.read_json(self._run_dir / run_folder.SUPERVISOR) or {}
            return ending.of_loss(word, rebooted=supervisor.get("boot_id") != tree.boot_id()).state
        return ending.of_exit(record, word, "").state

    def _note(self, failure: SinkFailed) -> None:
        self._sent.trouble = failure.trouble
        install = {"command": self._tracker.install} if failure.trouble == "not_installed" else {}
        self._sent.values = {**failure.values, **install}
        self._write()

    def _write(self) -> None:
        # A run that was deleted has no folder, and gets none.
        if self._run_dir.is_dir():
            self._sent.write(self._run_dir, self._tracker.name)

    def _wait(self, seconds: float) -> None:
        """Or until the run has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and run_folder.is_held(self._run_dir / run_folder.LOCK):
            time.sleep(min(EVERY, max(0.0, until - time.monotonic())))
