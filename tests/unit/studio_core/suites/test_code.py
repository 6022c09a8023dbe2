"""Suites of programs: how a published record becomes a question, and why an answer is worth what it is."""

from __future__ import annotations

import base64
import json
import pickle
import sys
import zlib
from typing import Any

import pytest

from studio_core import texts
from studio_core.base.errors import BadInput
from studio_core.programs import run as sandbox
from studio_core.suites import SUITES, Item, Verdict
from studio_core.suites.livecodebench import same_output

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="no sandbox on other systems, so that all is refused"
)

HUMANEVAL: dict[str, Any] = {
    "task_id": "HumanEval/900",
    "prompt": 'from typing import List\n\n\ndef total(numbers: List[int]) -> int:\n    """Their sum."""\n',
    "test": "def check(candidate):\n    assert candidate([1, 2]) == 3\n    assert candidate([]) == 0\n",
    "entry_point": "total",
    "canonical_solution": "    return sum(numbers)\n",
}
MBPP: dict[str, Any] = {
    "task_id": 7,
    "text": "Write a function to double a number.",
    "code": "def double(n): return 2 * n",
    "test_list": ["assert double(two) == 4", "assert double(0) == 0"],
    "test_setup_code": "two = 2",
}
STDIN: dict[str, Any] = {
    "question_id": "q1",
    "question_content": "Print the sum of two numbers.",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]),
    "private_test_cases": base64.b64encode(
        zlib.compress(pickle.dumps(json.dumps([{"input": "2 2\n", "output": "4.0\n", "testtype": "stdin"}])))
    ).decode(),
}
FUNCTIONAL: dict[str, Any] = {
    "question_id": "q2",
    "question_content": "Give the positions of the largest.",
    "starter_code": "class Solution:\n    def places(self, numbers: List[int]) -> List[int]:\n        ",
    "public_test_cases": [{"input": "[1, 3, 3]", "output": "[1, 2]", "testtype": "functional"}],
}


def item(suite: str, record: dict[str, Any]) -> Item:
    return SUITES[suite].item(suite, record, 1)


def score(suite: str, record: dict[str, Any], answer: str) -> Verdict:
    verdict = SUITES[suite].score(item(suite, record), answer)
    for language in texts.LANGUAGES:
        assert not verdict.reason or texts.text(
            f"suites.reasons.{verdict.reason}", language, **verdict.values
        )
    return verdict


def test_questions_show_what_is_asked_for() -> None:
    assert "def total" in item("humaneval", HUMANEVAL).question
    assert item("humaneval", HUMANEVAL).id == "HumanEval/900"
    asked = item("mbpp", MBPP)
    assert (
        "assert double(0) == 0" in asked.question and "double a number" in asked.question and asked.id == "7"
    )
    assert "standard input" in item("livecodebench", STDIN).question
    assert "class Solution" in item("livecodebench", FUNCTIONAL).question
    assert len(item("livecodebench", STDIN).record["tests"]) == 2
    for name in ("humaneval", "mbpp", "livecodebench"):
        suite = SUITES[name]
        assert suite.samples == 1 and suite.temperature == 0 and suite.source is not None
        for language in texts.LANGUAGES:
            assert texts.text(suite.title_key, language) and texts.text(suite.help_key, language)


@pytest.mark.parametrize(
    ("suite", "record"),
    [
        ("humaneval", {"prompt": "def f(): pass"}),
        ("mbpp", {"text": "Do it.", "test_list": []}),
        ("livecodebench", {"question_content": "?", "public_test_cases": "[]"}),
        ("livecodebench", {"question_content": "?", "public_test_cases": "{}"}),
        (
            "livecodebench",
            {"question_content": "?", "public_test_cases": base64.b64encode(b"no zlib").decode()},
        ),
        (
            "livecodebench",
            {
                "question_content": "?",
                # A pickle that would call a function.
                "public_test_cases": base64.b64encode(
                    zlib.compress(b"cposix\nsystem\n(S'true'\ntR.")
                ).decode(),
            },
        ),
    ],
)
def test_what_is_no_record_is_refused(suite: str, record: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        item(suite, record)


WHOLE = "```python\ndef total(numbers: List[int]) -> int:\n    return sum(numbers)\n```"


@linux
@pytest.mark.parametrize(
    ("suite", "record", "answer", "reason"),
    [
        ("humaneval", HUMANEVAL, WHOLE, ""),
        ("humaneval", HUMANEVAL, "return sum(numbers)", ""),
        ("humaneval", HUMANEVAL, "s = 0\n    for n in numbers:\n        s += n\n    return s", ""),
        ("humaneval", HUMANEVAL, "I cannot write code.", "no_code"),
        ("humaneval", HUMANEVAL, "def total(numbers:\n    return 0", "code_syntax"),
        ("humaneval", HUMANEVAL, "```python\nraise OSError\ndef total(n): 0\n```", "code_raised"),
        ("humaneval", HUMANEVAL, "```python\ndef total(n): return 3\n```", "test_failed"),
        ("humaneval", HUMANEVAL, "```python\nimport os\ndef total(n): os._exit(0)\n```", "code_ended"),
        ("mbpp", MBPP, "def double(n):\n    return n * 2", ""),
        ("mbpp", MBPP, "def double(n):\n    return n + 2", "test_failed"),
        ("mbpp", MBPP, "def twice(n):\n    return n * 2", "test_failed"),
        ("livecodebench", STDIN, "```python\na, b = map(int, input().split())\nprint(a + b)\n```", ""),
        ("livecodebench", STDIN, "```python\nprint(3)\n```", "wrong_output"),
        ("livecodebench", STDIN, "```python\nprint(int(input()))\n```", "test_failed"),
        ("livecodebench", STDIN, "It is easy.", "no_code"),
        (
            "livecodebench",
            FUNCTIONAL,
            "```python\nclass Solution:\n    def places(self, numbers: List[int]) -> List[int]:\n"
            "        return tuple(i for i, n in enumerate(numbers) if n == max(numbers))\n```",
            "",
        ),
        (
            "livecodebench",
            FUNCTIONAL,
            "```python\nclass Solution:\n    def places(self, numbers):\n        return []\n```",
            "test_failed",
        ),
    ],
)
def test_what_an_answer_is_worth_and_why(
    suite: str, record: dict[str, Any], answer: str, reason: str
) -> None:
    verdict = score(suite, record, answer)
    assert (verdict.reason, verdict.value) == (reason, float(not reason)), verdict
    assert verdict.readable is (reason != "no_code")


@linux
def test_a_failed_test_is_named_with_its_assertion() -> None:
    verdict = score("mbpp", MBPP, "def double(n):\n    return n + 2")
    assert verdict.values == {"number": 2, "test": "assert double(0) == 0", "error": "AssertionError"}
    verdict = score("humaneval", HUMANEVAL, "```python\ndef total(n): return 3\n```")
    assert verdict.values["test"] == "assert candidate([]) == 0"


@pytest.mark.parametrize(
    ("got", "wanted", "same"),
    [
        ("3\n", "3", True),
        ("1 2 \n3", "1 2\n3\n", True),
        ("2.50", "2.5", True),
        ("3\n4", "3", False),
        ("a", "b", False),
    ],
)
def test_outputs_are_compared_by_lines_and_values(got: str, wanted: str, same: bool) -> None:
    assert same_output(got, wanted) is same


def test_where_no_sandbox_is_enforced_nothing_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "lacking", lambda: {"namespaces": "not permitted"})
    with pytest.raises(BadInput) as refused:
        score("humaneval", HUMANEVAL, WHOLE)
    assert "not permitted" in refused.value.sentence()
