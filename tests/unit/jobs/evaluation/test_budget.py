"""An evaluation within a time: the largest round of questions that fits, by a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobs.evaluation import budget


def reached(sizes: list[int], seconds: float, second_an_answer: Callable[[int], float]) -> int | None:
    """The round that is kept where each answer that is not known yet takes its time."""
    now, known = 0.0, 0

    def work(place: int, out_of_time: Callable[[], bool]) -> int | None:
        nonlocal now, known
        while known < sizes[place]:
            now += second_an_answer(known)
            known += 1
            if out_of_time():
                return None
        return place

    return budget.largest_in_time(sizes, work, seconds, clock=lambda: now)


def test_rounds_double_up_to_the_longest_suite_or_the_limit() -> None:
    assert [*budget.limits(100, None, 10)] == [10, 20, 40, 80, 100]
    assert [*budget.limits(100, 25, 10)] == [10, 20, 25]
    assert [*budget.limits(40, None, 10)] == [10, 20, 40]
    assert [*budget.limits(3, None, 10)] == [3]
    assert [*budget.limits(11, None, 1)] == [1, 3, 10, 11]


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [(0.1, 0), (10, 0), (19.9, 0), (20, 1), (39, 1), (40, 2), (10_000, 3)],
)
def test_the_largest_round_that_fits_is_kept(seconds: float, kept: int) -> None:
    """A second an answer: the first 10 are always asked, the next ones if all of them fit."""
    assert reached([10, 20, 40, 80], seconds, lambda known: 1.0) == kept


def test_a_round_that_takes_longer_than_it_promised_is_given_up() -> None:
    assert reached([10, 20, 40], 25, lambda known: 1.0 if known < 12 else 2.0) == 0


def test_answers_that_were_known_cost_nothing() -> None:
    assert reached([10, 20, 40], 25, lambda known: 0.0 if known < 20 else 1.0) == 2
