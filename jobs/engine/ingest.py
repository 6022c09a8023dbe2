"""From a run's ``events.jsonl`` into the database, by byte offset and in bounded batches."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

from studio_core.base.studio import Studio
from studio_core.runs import metrics, run_folder

# Lines in one transaction: large enough that the sync of its commit hardly counts, small
# enough that whoever else writes waits for a fraction of a second.
BATCH = 2000
INTERVAL = 0.2
"""Seconds between two batches of one run that goes on: a chart needs no more, a commit costs a sync."""


class Ingest:
    def __init__(self, studio: Studio, job_id: int, run_dir: Path, offset: int) -> None:
        self._studio = studio
        self._job_id = job_id
        self._path = run_dir / run_folder.EVENTS
        self._offset = offset
        # No size yet, so that the first look reads: the file of an adopted run may no longer grow.
        self._size = -1
        self._next = 0.0

    def step(self) -> None:
        """Store one batch if there is news and it is time."""
        if time.monotonic() >= self._next and self._grown():
            self._store()
            self._next = time.monotonic() + INTERVAL

    def drain(self) -> None:
        """Store all that is left of a run that has ended."""
        while self._path.exists() and self._store():
            pass

    def _grown(self) -> bool:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return False
        return size != self._size

    def _store(self) -> bool:
        # Before reading: what is appended meanwhile makes the next look see
        # another size, and is not missed.
        size = self._path.stat().st_size
        lines = list(islice(run_folder.new_lines(self._path, self._offset), BATCH))
        if not lines:
            self._size = size  # A torn line at most: wait until there is more.
            return False
        metrics.store(self._studio, self._job_id, lines)
        self._offset = lines[-1][0]
        return True
