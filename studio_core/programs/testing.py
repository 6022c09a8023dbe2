"""The code of an answer, and how it does in tests. The reward ``unit_tests`` and suites of programs stand on this."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from studio_core.programs.limits import Limits
from studio_core.programs.run import run

Problem = Literal["", "syntax", "raised", "limit", "ended"]
"""Why not every test was run to its end: the code is no Python; it fails before any test; a limit was reached; it
ended the interpreter. Empty: every test was."""

# A line of an assertion and its values fit; what a program says at length is of no more use.
_ERROR_CHARACTERS = 200

_FENCE = re.compile(r"```[ \t]*(?:python3?|py)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_CODE_LINE = re.compile(
    r"^\s*(?:(?:def|class) \w+.*:.*|import \w[\w., ]*|from [\w.]+ import .+"
    r"|(?:for|while|if|with) .+:|return\b.*|\w+ = .+)$",
    re.MULTILINE,
)
_HARNESS = '''
import json, os, sys

given = json.load(sys.stdin)
report = os.fdopen(os.dup(1), "w")
# What the code prints is nobody's word on how it did.
sys.stdout = sys.stderr
space = {"__name__": "answer"}


def tell(**line):
    report.write(given["mark"] + json.dumps(line) + "\\n")
    report.flush()


def error_of(step, *arguments):
    """(what is wrong, or nothing; the line of a test in which it went wrong)"""
    line = 0
    try:
        step(*arguments)
    except BaseException as error:
        place = error.__traceback__
        while place:
            if place.tb_frame.f_code.co_filename == "<test>":
                line = place.tb_lineno
            place = place.tb_next
        try:
            return (type(error).__name__ + ": " + str(error)).rstrip(": ")[: given["most"]], line
        except BaseException:
            return type(error).__name__, line
    return "", line


def execute(text, name):
    exec(compile(text, name, "exec"), space)


def results_of(test):
    before = set(space)
    error = error_of(execute, test, "<test>")
    functions = [space[name] for name in space if name not in before and name.startswith("test_")]
    if "check" in space and "check" not in before and given["entry_point"]:
        functions.append(lambda: space["check"](space[given["entry_point"]]))
    # A text that only defines functions is as many tests as it defines.
    return (error if error[0] else error_of(function) for function in functions) if functions else (error,)


if error := error_of(compile, given["code"], "<code>", "exec")[0]:
    tell(problem="syntax", error=error)
elif error := error_of(execute, given["before"], "<code>")[0] or error_of(execute, given["code"], "<code>")[0]:
    tell(problem="raised", error=error)
else:
    for number, test in enumerate(given["tests"]):
        for error, line in results_of(test):
            tell(test=number, error=error, line=line)
    tell(problem="", error="")
report.close()
os._exit(0)
'''


@dataclass(frozen=True)
class TestResult:
    """What a test said."""

    __test__ = False  # Not one of pytest's.

    test: int
    """Its place, from 0; a text that defines several functions is as many tests at one place."""
    error: str = ""
    """Type and text of the exception; empty: it passed."""
    line: int = 0
    """Of the test's text, from 1, in which it failed; 0 where that is not known."""


@dataclass(frozen=True)
class Outcome:
    """How a program did in tests."""

    results: tuple[TestResult, ...]
    """Of the tests that were run to their end, in order."""
    problem: Problem = ""
    error: str = ""
    """What Python says of a ``problem``, or the limit's name."""

    @property
    def share(self) -> float:
        """Of the tests that passed; 0 where not every one was run to its end."""
        passed = [not result.error for result in self.results]
        return 0.0 if self.problem or not passed else sum(passed) / len(passed)

    @property
    def failure(self) -> TestResult | None:
        return next((result for result in self.results if result.error), None)


def code_of(answer: str) -> str:
    """The Python of an answer: all its fences, one after the other; without a fence the answer itself."""
    return "\n".join(_FENCE.findall(answer)) or answer


def has_code(answer: str) -> bool:
    """Whether there is a fence, or a line that opens like code: code with a mistake is still code."""
    return bool(_FENCE.search(answer) or _CODE_LINE.search(answer))


def outcome_of(
    code: str, tests: Sequence[str], limits: Limits, *, entry_point: str = "", before: str = ""
) -> Outcome:
    """How ``code`` does in ``tests``, in a sandbox of its own.

    A test is a text with assertions, functions ``test_..`` in it, or ``check(candidate)``, which is given the
    function ``entry_point``. ``before`` runs before the code, in its space. The limits are those of all tests
    together. Code that ends early (``exit``) or prints is not believed; code that looks for the tests in the frames
    of its own interpreter could call itself right. Raises ``BadInput`` where this machine enforces no sandbox.
    """
    mark = secrets.token_hex(16)
    given = {
        "code": code,
        "before": before,
        "tests": list(tests),
        "entry_point": entry_point,
        "mark": mark,
        "most": _ERROR_CHARACTERS,
    }
    result = run(_HARNESS, json.dumps(given), limits)
    # What follows the last end of a line may be half a line.
    written = result.output.split("\n")[:-1]
    lines = [json.loads(line.partition(mark)[2]) for line in written if mark in line]
    results = tuple(TestResult(line["test"], line["error"], line["line"]) for line in lines if "test" in line)
    last = lines[-1] if lines else {}
    if "problem" in last:
        return Outcome(results, last["problem"], last["error"])
    return Outcome(results, "limit" if result.ended_by else "ended", result.ended_by)
