"""LiveCodeBench: contest problems, scored by running their tests. Only from a file of the user's.

Jain et al. 2024, "LiveCodeBench" (arXiv 2403.07974). Each release has problems that are younger than the models it
is for, so which file it is matters. A line has ``question_content``, ``starter_code`` (empty where the program reads
standard input), ``public_test_cases`` and ``private_test_cases``: lists, or JSON of lists, of ``{"input", "output",
"testtype": "stdin" or "functional"}``; private ones also as they are published, compressed. ``metadata`` names the
function of a functional problem: ``{"func_name": ...}``; else it is the first of the starter code.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import re
import zlib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from studio_core.programs.limits import Limits
from studio_core.programs.run import run
from studio_core.programs.testing import code_of, outcome_of
from studio_core.suites.base import Item, Source, Suite, Verdict, asked
from studio_core.suites.code_answers import MAX_TOKENS, ended, no_code

LIMITS = Limits.of_seconds(6)
"""For each test, as its authors have it."""
_LARGEST = 256 << 20
"""Bytes of one problem's private tests, unpacked: the largest published ones have some tens of mebibytes."""
_SHOWN = 80
"""Characters of an output in a reason."""

_STDIN = "Write a Python program that reads the input from standard input and prints the answer."
_STARTER = "Complete this code:\n\n```python\n{code}\n```"
QUESTION = "{content}\n\n{form}\n\nAnswer with one block of code."
_IMPORTED = "\n".join(
    f"from {module} import *"
    for module in ("bisect", "collections", "functools", "heapq", "itertools", "math", "typing")
)
"""Solutions to LeetCode's problems take these for granted, since its editor imports them."""
_CALL = """
import json
got = Solution().{name}(*[json.loads(line) for line in {given!r}.split("\\n") if line.strip()])
wanted = json.loads({wanted!r})
got = list(got) if isinstance(got, tuple) else got
assert got == wanted, f"wanted {{wanted}}, got {{got}}"
"""


class _Plain(pickle.Unpickler):
    """Reads texts, numbers and lists: a pickle may name any function, which would be called."""

    def find_class(self, module: str, name: str) -> Any:
        raise ValueError(f"{module}.{name}")


def item(suite: str, record: Mapping[str, Any], number: int) -> Item:
    starter = record.get("starter_code") or ""
    cases = [*_cases(record["public_test_cases"]), *_cases(record.get("private_test_cases") or [])]
    tests = [{name: str(case[name]) for name in ("input", "output", "testtype")} for case in cases]
    if not tests:
        raise ValueError("public_test_cases")
    form = _STARTER.format(code=starter.rstrip()) if starter else _STDIN
    return Item(
        suite,
        str(record.get("difficulty", "")),
        asked(QUESTION.format(content=record["question_content"].strip(), form=form)),
        "",
        id=str(record.get("question_id", number)),
        record={"tests": tests, "function": _function(record, starter)},
    )


def _cases(held: Any) -> list[dict[str, Any]]:
    """Raises ValueError for what is no list of tests."""
    if isinstance(held, str) and not held.lstrip().startswith("["):
        try:
            unpacked = zlib.decompressobj().decompress(base64.b64decode(held, validate=True), _LARGEST)
            held = _Plain(io.BytesIO(unpacked)).load()
        except Exception as error:  # Of bytes that are no pickle anything may be raised.
            raise ValueError("private_test_cases") from error
    cases = json.loads(held) if isinstance(held, str) else held
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise ValueError("test_cases")
    return cases


def _function(record: Mapping[str, Any], starter: str) -> str:
    metadata = record.get("metadata") or {}
    named = (json.loads(metadata) if isinstance(metadata, str) else metadata).get("func_name")
    methods = re.findall(r"def (\w+)\(self", starter)
    return str(named or (methods[0] if methods else ""))


def score(item: Item, answer: str) -> Verdict:
    """1 if all tests pass; the first that fails ends it."""
    if verdict := no_code(answer):
        return verdict
    code = code_of(answer)
    for number, test in enumerate(item.record["tests"], start=1):
        functional = test["testtype"] == "functional"
        verdict = (
            _called(code, test, item.record["function"], number)
            if functional
            else _printed(code, test, number)
        )
        if verdict.value < 1:
            return verdict
    return Verdict(1.0)


def _called(code: str, test: Mapping[str, str], function: str, number: int) -> Verdict:
    text = _CALL.format(name=function, given=test["input"], wanted=test["output"])
    outcome = outcome_of(code, [text], LIMITS, before=_IMPORTED)
    if failure := outcome.failure:
        values = {"number": number, "test": f"{function}(...)", "error": failure.error}
        return Verdict(0.0, "test_failed", values)
    return ended(outcome.problem, outcome.error, number, LIMITS)


def _printed(code: str, test: Mapping[str, str], number: int) -> Verdict:
    # Such an import must come first.
    program = code if "__future__" in code else f"{_IMPORTED}\n{code}"
    result = run(program, test["input"], LIMITS)
    if result.ended_by:
        return ended("limit", result.ended_by, number, LIMITS)
    if same_output(result.output, test["output"]):
        return Verdict(1.0)
    if result.exit:
        last = (result.errors.strip().splitlines() or ["-"])[-1]
        values = {"number": number, "test": "stdin", "error": last[:_SHOWN]}
        return Verdict(0.0, "test_failed", values)
    wanted, got = test["output"].strip()[:_SHOWN], result.output.strip()[:_SHOWN]
    return Verdict(0.0, "wrong_output", {"number": number, "wanted": wanted, "got": got})


def same_output(got: str, wanted: str) -> bool:
    """Line by line, without the space around it; numbers by their value."""
    lines, others = got.strip().split("\n"), wanted.strip().split("\n")
    return len(lines) == len(others) and all(map(_same_line, lines, others))


def _same_line(got: str, wanted: str) -> bool:
    if got.strip() == wanted.strip():
        return True
    try:
        return list(map(Decimal, got.split())) == list(map(Decimal, wanted.split()))
    except InvalidOperation:
        return False


LIVECODEBENCH = Suite(
    "livecodebench",
    score,
    max_tokens=2 * MAX_TOKENS,  # A contest's program is about twice as long as an exercise's function.
    item=item,
    source=Source("", about="https://livecodebench.github.io"),
)
