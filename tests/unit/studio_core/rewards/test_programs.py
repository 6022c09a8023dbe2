"""Rewards that run programs: tests of an answer's code, and a reward in somebody's own code."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from studio_core import rewards
from studio_core.base.errors import BadInput
from studio_core.programs import run as sandbox
from studio_core.programs.limits import Limits
from studio_core.programs.run import Result
from studio_core.rewards import own_code

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="no sandbox on other systems, so that all is refused"
)

RIGHT = "Here:\n```python\ndef add(a, b):\n    return a + b\n```\nThat adds."
WRONG = "```python\ndef add(a, b):\n    return a - b\n```"


def unit_tests(
    answer: str, tests: Any, *, column: str = "tests", more: dict[str, Any] | None = None, **options: Any
) -> float:
    return rewards.score("unit_tests", options)("?", answer, {column: tests, **(more or {})})


@pytest.mark.parametrize(
    ("answer", "tests", "share"),
    [
        (RIGHT, "assert add(1, 2) == 3", 1.0),
        ("def add(a, b):\n    return a + b", "assert add(1, 2) == 3", 1.0),
        (WRONG, "assert add(1, 2) == 3", 0.0),
        (WRONG, ["assert add(1, 2) == 3", "assert add(0, 0) == 0"], 0.5),
        (WRONG, '["assert add(1, 2) == 3", "assert add(0, 0) == 0"]', 0.5),
        (WRONG, "def test_sum():\n  assert add(1, 2) == 3\ndef test_none():\n  assert add(0, 0) == 0", 0.5),
        (
            "```\ndef add(a, b):\n  return a + b\n```\nUse:\n```python\nprint(add(1, 2))\n```",
            "assert add(1, 2) == 3",
            1.0,
        ),
        ("I cannot write code.", "assert add(1, 2) == 3", 0.0),
    ],
)
def test_code_is_worth_the_tests_that_it_passes(answer: str, tests: Any, share: float) -> None:
    assert unit_tests(answer, tests) == share
    assert unit_tests(answer, tests, all_tests=True) == float(share == 1.0)


def test_tests_that_are_given_a_function() -> None:
    check = "def check(candidate):\n    assert candidate(1, 2) == 3"
    assert unit_tests(RIGHT, check, column="test", more={"entry_point": "add"}) == 1.0
    assert unit_tests(WRONG, check, column="test", more={"entry_point": "add"}) == 0.0
    assert unit_tests(RIGHT, check, column="test", more={"entry_point": "missing"}) == 0.0


@pytest.mark.parametrize(
    "trick",
    [
        "import os; os._exit(0)",
        "import sys; sys.exit(0)",
        "print('[true]'); import os; os._exit(0)",
        "import os; os.write(1, b'[true]'); os._exit(0)",
        "while True: pass",
        "raise KeyboardInterrupt",
    ],
)
def test_code_that_ends_early_or_never_is_not_believed(trick: str) -> None:
    assert unit_tests(f"```python\n{trick}\n```", "assert True", seconds=1) == 0.0


def test_a_record_without_tests_is_not_scored() -> None:
    [value] = rewards.scores("unit_tests", {})([("?", RIGHT, {"answer": "3"})])
    assert isinstance(value, BadInput) and "test_list" in value.sentence()


LENGTH = "def reward(prompt, answer, record):\n    return len(answer) / record['most']\n"


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_OWN_REWARDS", "1")


def own(code: str, *answers: str, **options: Any) -> list[float | Exception]:
    scores = rewards.scores("own_code", {"code": code, **options})
    return scores([("?", answer, {"most": 10}) for answer in answers])


@pytest.mark.usefixtures("allowed")
def test_own_code_scores_many_answers_in_one_program(monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[str] = []
    whole = sandbox._carry_out
    monkeypatch.setattr(
        sandbox, "_carry_out", lambda task, limits: (starts.append("one"), whole(task, limits))[1]
    )
    assert own(LENGTH, "four", "", "\ud800" * 10) == [0.4, 0.0, 1.0]
    assert starts == ["one"]
    assert rewards.score("own_code", {"code": LENGTH})("?", "four", {"most": 8}) == 0.5


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return 1 / len(answer)", "ZeroDivisionError"),
        ("return 'much'", "ValueError"),
        ("if not answer: raise SystemExit\n    return 1", "SystemExit"),
        ("if not answer:\n        while True: pass\n    return 1", "seconds"),
        ("import os\n    if not answer: os._exit(3)\n    return 1", "exit"),
        ("return open('/etc/passwd').read()", "FileNotFoundError"),
        ("import socket; socket.socket()", "PermissionError"),
    ],
)
def test_an_answer_that_own_code_fails_on_has_no_value_and_says_why(body: str, told: str) -> None:
    first, second = own(f"def reward(prompt, answer, record):\n    {body}\n", "x", "", seconds=1)
    assert isinstance(second, BadInput) and told in second.sentence()
    assert not isinstance(first, float) or first == 1.0


@pytest.mark.usefixtures("allowed")
def test_what_a_stopped_program_had_scored_counts_and_half_a_line_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(program: str, given: str, limits: Limits) -> Result:
        mark = json.loads(given)["mark"]
        said = f'{mark}{{"value": 1.0}}\n{mark}{{"val'
        return Result(exit=-9, output=said, errors="", ended_by="wall", seconds=1.0)

    monkeypatch.setattr(own_code, "run", stopped)
    first, second = own(LENGTH, "one", "two")
    assert first == 1.0 and isinstance(second, BadInput) and "wall" in second.sentence()


def test_own_code_is_refused_unless_the_owner_of_the_server_allows_it() -> None:
    with pytest.raises(BadInput) as refused:
        rewards.score("own_code", {"code": LENGTH})
    assert "TUNESMITH_OWN_REWARDS" in refused.value.sentence()


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    ("code", "complaint"),
    [("def reward(", "no valid Python"), ("x = 1", "no function reward"), ("\0", "no valid Python")],
)
def test_what_is_no_reward_is_refused_before_it_runs(code: str, complaint: str) -> None:
    with pytest.raises(BadInput) as refused:
        rewards.score("own_code", {"code": code})
    assert complaint in refused.value.sentence()


def test_where_no_sandbox_is_enforced_such_rewards_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "lacking", lambda: {"namespaces": "not permitted"})
    with pytest.raises(BadInput) as refused:
        rewards.score("unit_tests", {})
    assert "not permitted" in refused.value.sentence()
    monkeypatch.setenv("TUNESMITH_WEAKER_SANDBOX", "1")
    rewards.score("unit_tests", {})
