"""How many questions fit into the time that an evaluation may take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# Ten answers a suite say whether a model has lost an ability altogether; each round then doubles them. What there is no
# time for begins with fewer: a batch of three takes hardly longer than one, and less than a third of ten.
_FIRST = (1, 3, 10)


def limits(longest: int, limit: int | None, least: int) -> Iterator[int]:
    """1, 3, 10, 20, 40 ... from ``least`` up to the questions of the longest suite, or to the limit asked for."""
    most = longest if limit is None else min(limit, longest)
    reached = least
    while reached < most:
        yield reached
        reached = next((first for first in _FIRST if first > reached), 2 * reached)
    yield most


def small(limits: Sequence[int | None]) -> int:
    """How many of the first rounds are too small to tell how long the next one takes."""
    return max(1, sum(limit is not None and limit < _FIRST[-1] for limit in limits))


def largest_in_time(
    sizes: Sequence[int],
    work: Callable[[int, Callable[[], bool]], T | None],
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    began: float | None = None,
    small: int = 1,
) -> T | None:
    """What the last whole round has given. A round of ``sizes`` answers holds those of the rounds before, which are
    known by then.

    ``work(round, out_of_time)`` carries one out, or gives None where it was given up. The first is always carried out,
    and those after the ``small`` ones if the time that is left is enough, as the one before has shown. Of small ones
    nothing can be told: the first has loaded the models, and a batch that is not full costs as much as one that is.
    ``began``: when the time began, by ``clock``.
    """
    end = (clock() if began is None else began) + seconds
    reached: T | None = None
    cost = 0.0
    for place, size in enumerate(sizes):
        started = clock()
        about = 0.0
        if place > small:
            about = cost * (size - sizes[place - 1]) / (sizes[place - 1] - sizes[place - 2])
        if place and started + about > end:
            break
        result = work(place, lambda always=place == 0: not always and clock() > end)  # type: ignore[misc]
        if result is None:
            break
        reached, cost = result, clock() - started
    return reached
