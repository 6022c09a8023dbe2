"""How far a job without steps has come: figures that are passed on to the engine now and then."""

from __future__ import annotations

import time

from studio_core.runs.run_folder import EventWriter

TOLD_EVERY = 0.5
"""Seconds between two reports of progress."""


class Progress:
    """Passes figures on to the engine a few times a second, however often it is told."""

    def __init__(self, events: EventWriter) -> None:
        self.events = events
        self.done = 0
        self.total: int | None = None
        self._figures: dict[str, float] = {}
        self._began = self._told = time.monotonic()

    def __call__(self, done: int, total: int | None, figures: dict[str, float]) -> None:
        self.done, self.total = done, total
        if figures:
            self._figures.update(figures)
        if time.monotonic() - self._told >= TOLD_EVERY:
            self._tell()

    def last(self) -> None:
        if self.done:
            self._tell()

    def _tell(self) -> None:
        self._told = now = time.monotonic()
        rate = self.done / max(now - self._began, 1e-6)
        values = {**self._figures, "records_per_second": round(rate, 1)}
        if self.total and rate:
            values["seconds_left"] = round((self.total - self.done) / rate, 1)
        self.events.write("metrics", step=self.done, total_steps=self.total, values=values)
