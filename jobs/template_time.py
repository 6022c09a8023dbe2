"""A time limit for a chat template, which is a program of a model's author, inside a worker.

Nothing in the interpreter can interrupt one step of it that lasts for ever. So the kernel's alarm ends the worker,
which the engine tells as what it is (``jobs.engine.ending``).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 60.0
"""For one conversation, whose rendering takes milliseconds."""

_alarm = threading.Lock()
"""A process has one."""


@contextmanager
def limited() -> Iterator[None]:
    """What runs in here ends within ``SECONDS``, or the process does."""
    with _alarm:
        before = signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, *before)
