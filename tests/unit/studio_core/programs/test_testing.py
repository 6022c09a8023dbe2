"""The code of an answer in its tests: what passed, what failed first and where."""

from __future__ import annotations

import sys

import pytest

from studio_core.programs.limits import Limits
from studio_core.programs.testing import TestResult, code_of, has_code, outcome_of

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="no sandbox on other systems, so that all is refused"
)

LIMITS = Limits(seconds=1)
ADD = "def add(a, b):\n    return a + b"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("It is 4.", False),
        ("Sorry, I cannot.", False),
        ("", False),
        ("```python\n4\n```", True),
        (ADD, True),
        ("return a + b", True),
        ("def add(a, b:\n    return a", True),
        ("import math", True),
        ("x = 3", True),
    ],
)
def test_whether_there_is_code(answer: str, code: bool) -> None:
    assert has_code(answer) is code


def test_the_code_of_an_answer_is_all_its_fences() -> None:
    assert code_of("First:\n```py\na = 1\n```\nthen\n```\nb = 2\n```") == "a = 1\n\nb = 2\n"
    assert code_of(ADD) == ADD


@linux
def test_each_test_says_how_it_went() -> None:
    tests = ["assert add(1, 2) == 3", "x = add(1, 1)\nassert x == 3, x", "add()"]
    outcome = outcome_of(ADD, tests, LIMITS)
    assert outcome.problem == "" and outcome.share == 1 / 3
    assert outcome.results[:2] == (TestResult(0), TestResult(1, "AssertionError: 2", 2))
    assert outcome.failure == outcome.results[1] and "TypeError" in outcome.results[2].error


@linux
def test_what_runs_before_the_code_is_in_its_space() -> None:
    outcome = outcome_of(
        "def double(n):\n    return n * TWO", ["assert double(2) == 4"], LIMITS, before="TWO = 2"
    )
    assert outcome.share == 1.0


@linux
@pytest.mark.parametrize(
    ("code", "problem", "error"),
    [
        ("def add(a, b:", "syntax", "SyntaxError"),
        ("1 / 0", "raised", "ZeroDivisionError"),
        ("while True: pass", "limit", "seconds"),
        ("import os; os._exit(0)", "ended", ""),
    ],
)
def test_a_program_without_a_verdict_of_its_tests_says_why(code: str, problem: str, error: str) -> None:
    outcome = outcome_of(code, ["assert True"], LIMITS)
    assert (outcome.problem, outcome.share, outcome.results) == (problem, 0.0, ())
    assert error in outcome.error


@linux
def test_tests_before_the_one_that_never_ends_are_known() -> None:
    code = "def add(a, b):\n    while a: pass\n    return b"
    outcome = outcome_of(code, ["assert add(0, 2) == 2", "assert add(1, 2) == 3"], LIMITS)
    assert outcome.results == (TestResult(0),) and outcome.problem == "limit" and outcome.share == 0.0
