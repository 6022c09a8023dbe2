"""Worked sums with planted errors, and how what is found of them is counted."""

from __future__ import annotations

import pytest

from jobs.demo.process_rewards import Chances, Solution, best_threshold, figures, solutions, worked_steps
from jobs.demo.sums import Sum

PROBLEMS = [Sum(7 + n, 38, "+") for n in range(20)]


def asked() -> list[Solution]:
    return solutions([([{"role": "user", "content": "?"}], problem) for problem in PROBLEMS], seed=0)


def test_every_second_solution_has_one_error() -> None:
    for place, solution in enumerate(asked()):
        right = worked_steps(solution.problem)
        assert solution.labels == [a == b for a, b in zip(solution.steps, right, strict=True)]
        assert solution.labels.count(False) == place % 2
        assert solution.mended().steps == right


def test_who_knows_all_errors_finds_them() -> None:
    def knows(some: list[Solution]) -> Chances:
        return [[0.9 if right else 0.2 for right in one.labels] for one in some]

    found = figures(knows, 0.5, asked())
    assert set(found.values()) == {100.0} and len(found) == 5
    assert best_threshold(knows(asked()), asked()) == pytest.approx(0.2)


def test_who_says_that_all_is_right_finds_the_sound_half() -> None:
    found = figures(lambda some: [[0.9] * len(one.steps) for one in some], 0.5, asked())
    assert found["steps"] == pytest.approx(100 * 5 / 6) and found["first error"] == 50.0
    assert found["pairs, min"] == 0.0
