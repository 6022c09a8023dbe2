"""What an answer that should be a program is worth: what the suites of programs share."""

from __future__ import annotations

from collections.abc import Sequence

from studio_core.programs.limits import Limits
from studio_core.programs.run import check_protection
from studio_core.programs.testing import Outcome, Problem, code_of, has_code, outcome_of
from studio_core.suites.base import Verdict

LIMITS = Limits.of_seconds(10)
"""For all tests of one answer. The paper on HumanEval gives 3 seconds by the clock; this is processor time, which the
start of the interpreter shares, and some published tests of MBPP take more than one."""
MAX_TOKENS = 768
"""Of an answer. The longest published solution has some 400 tokens; the words around the code need room too."""
_LIMITS = {"memory": "out_of_memory", "output": "too_much_output"}
_SHOWN = 160
"""Characters of a test in a reason."""


def no_code(answer: str) -> Verdict | None:
    """The verdict on an answer without code. Raises ``BadInput`` where this machine enforces no sandbox."""
    check_protection()
    return None if has_code(answer) else Verdict(0.0, "no_code", readable=False)


def tested(
    answer: str, tests: Sequence[str], *, entry_point: str = "", before: str = "", code: str = ""
) -> Verdict:
    """1 only if all tests pass; ``code`` where it is not simply that of the answer. Raises as ``no_code``."""
    if verdict := no_code(answer):
        return verdict
    outcome = outcome_of(code or code_of(answer), tests, LIMITS, entry_point=entry_point, before=before)
    return verdict_on(outcome, tests)


def verdict_on(outcome: Outcome, tests: Sequence[str]) -> Verdict:
    """What is worth telling of an outcome: the first thing that went wrong."""
    if failure := outcome.failure:
        lines = tests[failure.test].splitlines()
        shown = lines[failure.line - 1] if 0 < failure.line <= len(lines) else tests[failure.test]
        return Verdict(
            0.0,
            "test_failed",
            {"number": failure.test + 1, "test": shown.strip()[:_SHOWN], "error": failure.error},
        )
    # The test that was running, where one was.
    number = min(len(outcome.results) + 1, len(tests))
    return ended(outcome.problem, outcome.error, number)


def ended(problem: Problem, error: str, number: int, limits: Limits = LIMITS) -> Verdict:
    """A verdict on a program that came to no verdict of the tests' own; ``number`` from 1."""
    if problem == "limit":
        return Verdict(0.0, _LIMITS.get(error, "out_of_time"), {"number": number, "seconds": limits.seconds})
    return Verdict(0.0, f"code_{problem}", {"error": error, "number": number}) if problem else Verdict(1.0)
