"""The answer's Python code passes the tests of the record."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.data.shapes import Record
from studio_core.options import option
from studio_core.programs.limits import Limits
from studio_core.programs.run import check_protection
from studio_core.programs.testing import code_of, outcome_of
from studio_core.rewards.base import Reward, RewardOptions, Score

COLUMN_NAMES = ("tests", "test_list", "test", "unit_tests", "test_code")
"""Columns that hold tests, the likeliest first; ``test_list`` is that of MBPP, ``test`` that of HumanEval."""
ENTRY_POINT = "entry_point"
"""The column with the function that ``check(candidate)`` is given, as HumanEval has it."""


class UnitTestsOptions(RewardOptions):
    tests_column: str = option("", choices_of="columns", advanced=False)
    all_tests: bool = option(False)
    seconds: int = option(5, at_least=1, at_most=120, unit="seconds")


def columns(options: UnitTestsOptions) -> tuple[str, ...]:
    column = options.tests_column.strip()
    return (column,) if column else COLUMN_NAMES


def unit_tests(options: UnitTestsOptions) -> Score:
    """The share of the record's tests that pass, or with ``all_tests`` 1 if all do; 0 for code that does not run.

    Each answer runs in the sandbox for programs; ``programs/testing.py`` says what a test is. Raises ``BadInput`` for
    a record without tests, and where this machine enforces no sandbox.
    """
    check_protection()
    looked_into = columns(options)
    limits = Limits.of_seconds(options.seconds)

    def score(prompt: str, answer: str, record: Record) -> float:
        tests = tests_of(record, looked_into)
        if not tests:
            raise BadInput("rewards.no_tests", columns=", ".join(looked_into))
        entry_point = str(record.get(ENTRY_POINT) or "")
        share = outcome_of(code_of(answer), tests, limits, entry_point=entry_point).share
        return float(share == 1.0) if options.all_tests else share

    return score


def tests_of(record: Record, looked_into: tuple[str, ...]) -> list[str]:
    held: Any = next((record[name] for name in looked_into if record.get(name)), None)
    if isinstance(held, str) and held.lstrip().startswith("["):
        # A list that a file without lists, such as a table, holds as text.
        with suppress(ValueError):
            held = json.loads(held)
    return [str(test) for test in (held if isinstance(held, list) else [held]) if test and str(test).strip()]


UNIT_TESTS = Reward("unit_tests", unit_tests, UnitTestsOptions, columns)
