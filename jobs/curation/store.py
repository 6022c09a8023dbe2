"""Answers that were paid or waited for already: kept for all jobs, so that nothing is asked twice.

One file for each model or service with its way of drawing, of JSON lines that are only ever appended. Each
line is written in one piece under a lock; a line that a kill has torn is passed over.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.generation.answering import digest


class Store:
    """What is known under a key. ``who`` says who answers, and how: it names the file, and stands first in it."""

    def __init__(self, folder: Path, who: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / f"{digest(who)}.jsonl"
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._places: dict[bytes, int] = {}
        self._seen = 0
        with self._alone():
            if os.fstat(self._file).st_size == 0:
                os.write(self._file, _line({"who": who}))
        self._look()

    def close(self) -> None:
        os.close(self._file)

    def __contains__(self, key: str) -> bool:
        if os.fstat(self._file).st_size > self._seen:  # Another job has added to it.
            self._look()
        return bytes.fromhex(key) in self._places

    def get(self, key: str) -> dict[str, Any] | None:
        if key not in self:
            return None
        with open(self.path, "rb") as file:
            file.seek(self._places[bytes.fromhex(key)])
            known: dict[str, Any] = json.loads(file.readline())
        return known

    def put(self, key: str, known: dict[str, Any]) -> None:
        """Keep it; what is known already stays as it is."""
        with self._alone():
            self._look()
            if bytes.fromhex(key) in self._places:
                return
            torn = os.fstat(self._file).st_size > self._seen
            line = (b"\n" if torn else b"") + _line({"key": key, **known})
            written = os.write(self._file, line)
            if written < len(line):
                raise OSError(28, os.strerror(28), str(self.path))
        self._look()

    def _look(self) -> None:
        """Take note of the whole lines that have come since."""
        with open(self.path, "rb") as file:
            file.seek(self._seen)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                key = _key(line)
                if key is not None:
                    self._places.setdefault(key, self._seen)
                self._seen += len(line)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"


def _key(line: bytes) -> bytes | None:
    """The key of a line, or None if it is no line of ours."""
    try:
        document = json.loads(line)
        key = document["key"]
        return bytes.fromhex(key) if isinstance(key, str) and len(key) == 32 else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
