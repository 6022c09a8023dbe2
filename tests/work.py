"""How much work something is, in processor time beside a reference of the same moment, never on the clock."""

from __future__ import annotations

import time
from collections.abc import Callable

_CHARACTERS = "x" * 100_000


def work(task: Callable[[], object]) -> float:
    """Processor time of a task, as a multiple of a plain loop over 100,000 characters (about 3 ms).

    Both are the processor time of this process, so that a busy machine slows them alike. The better of two
    counts, since the first may import or compile something.
    """
    return min(_seconds(task) for _ in range(2)) / min(_seconds(_reference) for _ in range(5))


def _reference() -> None:
    for character in _CHARACTERS:
        ord(character)


def _seconds(task: Callable[[], object]) -> float:
    begin = time.process_time()
    task()
    return time.process_time() - begin
