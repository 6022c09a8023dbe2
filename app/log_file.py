"""What happened: ``logs/web.log``; and, apart from it, who did what to whom: ``logs/audit.log``.

The audit log has who signed in and who failed, accounts and roles that changed, own code of models that was
switched on, and what was deleted. Each entry of either is one line, whatever the names in it hold.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from studio_core.base.audit import LOGGERS, WHO
from studio_core.base.settings import Settings

LONGEST, LONGEST_TRACE = 2_000, 20_000
"""Characters of an entry: a long address is 200, a trace of forty calls 8,000."""
SIZE = 5_000_000
"""Bytes of a log file: some 50,000 entries, opened by any editor."""
WEB_KEPT, AUDIT_KEPT = 3, 20
"""Older files that are kept beside it. Failures to sign in are slowed, so that nobody soon rolls the audit log over."""
REFUSALS, REFUSALS_PER_SECOND = 100, 2.0
"""Entries on refused requests: a flood of them is counted and not written out."""


@contextmanager
def logged_to_file(settings: Settings) -> Iterator[None]:
    """Write what happens meanwhile to the logs."""
    web = SizedFile(settings.logs / "web.log", WEB_KEPT)
    web.addFilter(lambda record: record.name not in LOGGERS)
    web.addFilter(Refusals())
    audit = SizedFile(settings.logs / "audit.log", AUDIT_KEPT)
    with ExitStack() as stack:
        for handler, names in ((web, ("tunesmith", "uvicorn.error")), (audit, LOGGERS)):
            stack.callback(handler.close)
            for name in names:
                logging.getLogger(name).addHandler(handler)
                stack.callback(logging.getLogger(name).removeHandler, handler)
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.INFO)
        yield


class OneLine(logging.Formatter):
    """An entry is one line; the lines of a trace after it are indented, so that none passes for an entry."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{self.formatTime(record)} {record.levelname} {record.name} {plain(record.getMessage())}"
        if record.name in LOGGERS:
            head += f" (by {plain(WHO.get())})"
        if not record.exc_info:
            return head
        # The end of a trace names the error; the beginning is the server's own calls.
        trace = self.formatException(record.exc_info)[-LONGEST_TRACE:]
        return "\n    ".join([head, *(plain(line) for line in trace.splitlines())])


class SizedFile(WatchedFileHandler):
    """A log file that several processes write; whoever finds it too large moves it aside for all."""

    def __init__(self, file: Path, kept: int) -> None:
        self.file, self.kept = file, kept
        # A name with half a character in it must not cost the entry.
        super().__init__(file, encoding="utf-8", errors="backslashreplace")
        self.setFormatter(OneLine())

    def _open(self) -> Any:
        def private(path: str, flags: int) -> int:
            # Names of people and addresses are in it.
            return os.open(path, flags, 0o600)

        return open(self.file, "a", encoding=self.encoding, errors=self.errors, opener=private)

    def emit(self, record: logging.LogRecord) -> None:
        if self._size() > SIZE:
            self._move_aside()
        super().emit(record)

    def _size(self) -> int:
        try:
            return self.file.stat().st_size
        except FileNotFoundError:
            return 0

    def _move_aside(self) -> None:
        with open(self.file.with_name(f".{self.file.name}.lock"), "w") as lock:
            # Web process and command line write the same files; each reopens a
            # file that was moved (WatchedFileHandler).
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._size() <= SIZE:  # Another process was first.
                return
            for number in range(self.kept, 0, -1):
                older = self._numbered(number - 1)
                if older.exists():
                    older.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self.file.with_name(f"{self.file.name}.{number}") if number else self.file


class Refusals(logging.Filter):
    """Lets so many refused requests into a log, and tells with the next one how many it has left out."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.then, self.skipped = float(REFUSALS), time.monotonic(), 0

    def filter(self, record: logging.LogRecord) -> bool:
        # Errors are never left out.
        if record.levelno > logging.WARNING:
            return True
        now = time.monotonic()
        self.left = min(REFUSALS, self.left + (now - self.then) * REFUSALS_PER_SECOND)
        self.then = now
        if self.left < 1:
            self.skipped += 1
            return False
        self.left -= 1
        if self.skipped:
            record.msg, record.args = f"{record.getMessage()} (and {self.skipped} before it)", ()
            self.skipped = 0
        return True


def plain(text: str) -> str:
    """A text on one line: cut, and with every sign that is not printed spelled out."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(text) - LONGEST} more)"
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape", "backslashreplace").decode()
        for sign in text
    )
