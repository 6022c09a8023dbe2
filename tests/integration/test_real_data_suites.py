"""Published suites as their authors publish them: their own solutions are right, spoilt ones are not."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from studio_core.suites import SUITES, Item, Suite, Verdict
from studio_core.suites.base import records
from studio_core.suites.bfcl import joined

pytestmark = pytest.mark.real_data
linux = pytest.mark.skipif(
    sys.platform != "linux", reason="no sandbox on other systems, so that all is refused"
)


def scores(suite: Suite, items: Sequence[Item], answers: Sequence[str]) -> list[Verdict]:
    """Two at a time: most of what a program takes is the start of its sandbox."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(suite.score, items, answers))


@linux
def test_the_solutions_of_humaneval_are_right(real_data: Path) -> None:
    suite = SUITES["humaneval"]
    items = suite.read(real_data / "humaneval" / "HumanEval.jsonl.gz")
    assert len(items) == 164
    verdicts = scores(suite, items, [item.record["canonical_solution"].strip() for item in items])
    assert [item.id for item, verdict in zip(items, verdicts, strict=True) if verdict.value < 1] == []
    others = scores(suite, items[:8], ["return None"] * 8)
    assert {(verdict.value, verdict.reason) for verdict in others} == {(0.0, "test_failed")}


@linux
def test_the_solutions_of_mbpp_are_right(real_data: Path) -> None:
    """Every twentieth, and the two whose tests need objects of the solution's own class; all 974 are, in 85 s."""
    suite = SUITES["mbpp"]
    items = suite.read(real_data / "mbpp" / "mbpp.jsonl")
    assert len(items) == 974
    chosen = [item for place, item in enumerate(items) if place % 20 == 0 or item.record["setup"]]
    assert len(chosen) == 51
    verdicts = scores(suite, chosen, [f"```python\n{item.record['code']}\n```" for item in chosen])
    assert [item.id for item, verdict in zip(chosen, verdicts, strict=True) if verdict.value < 1] == []
    others = scores(suite, chosen[:8], ["def other(): return 0"] * 8)
    assert {(verdict.value, verdict.reason) for verdict in others} == {(0.0, "test_failed")}


def of_bfcl(folder: Path, name: str) -> list[Item]:
    """The questions of a category, joined with their accepted answers where it has some."""
    suite = SUITES[f"bfcl_{name.removesuffix('_python')}"]
    questions, answers = (
        folder / f"BFCL_v4_{name}.json",
        folder / "possible_answer" / f"BFCL_v4_{name}.json",
    )
    both = joined(records(questions), records(answers)) if suite.joined else records(questions)
    return [suite.item(suite.name, record, number) for number, record in enumerate(both, start=1)]


def first_accepted(accepted: Any) -> Any:
    """An argument as the first value that is accepted: ``""`` is none, it says that the argument may be left out."""
    if isinstance(accepted, dict):
        given = {name: [value for value in values if value != ""] for name, values in accepted.items()}
        return {name: first_accepted(values[0]) for name, values in given.items() if values}
    if isinstance(accepted, list):
        return [first_accepted(each) for each in accepted]
    return accepted


def accepted_calls(item: Item) -> list[dict[str, Any]]:
    return [
        {"name": name, "arguments": first_accepted(accepted)}
        for call in item.record["ground_truth"]
        for name, accepted in call.items()
    ]


def as_python(calls: list[dict[str, Any]]) -> str:
    written = (
        f"{call['name']}({', '.join(f'{name}={value!r}' for name, value in call['arguments'].items())})"
        for call in calls
    )
    return f"[{', '.join(written)}]"


def spoilt(item: Item, calls: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The calls with one thing wrong in the last of them, and what that is."""
    *others, last = calls
    arguments = last["arguments"]
    yield "function", [*others, {**last, "name": f"{last['name']}_2"}]
    yield "extra", [*others, {**last, "arguments": {**arguments, "qz": 1}}]
    yield "number", [*calls, last]
    [accepted] = item.record["ground_truth"][-1].values()
    if name := next((name for name, values in accepted.items() if "" not in values), ""):
        yield "missing", [*others, {**last, "arguments": {k: v for k, v in arguments.items() if k != name}}]
        yield "type", [*others, {**last, "arguments": {**arguments, name: {"qz": [1]}}}]
        yield "value", [*others, {**last, "arguments": {**arguments, name: changed(arguments[name])}}]


def changed(value: Any) -> Any:
    """Another value of its type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1009
    if isinstance(value, str):
        return f"{value} qz"
    return [*value, *value, 1009] if isinstance(value, list) else {**value, "qz": 1}


@pytest.mark.parametrize(
    ("name", "number"), [("simple_python", 400), ("multiple", 200), ("parallel", 200), ("irrelevance", 240)]
)
def test_accepted_calls_of_bfcl_are_right_and_spoilt_ones_are_not(
    real_data: Path, name: str, number: int
) -> None:
    items = of_bfcl(real_data / "bfcl", name)
    assert len(items) == number
    wrong = []
    for item in items:
        score = SUITES[item.suite].score
        if name == "irrelevance":
            function = item.record["functions"][0]["name"]
            assert score(item, "No function serves this.").value == 1
            assert score(item, json.dumps({"name": function, "arguments": {}})).value == 0
            continue
        calls = accepted_calls(item)
        for answer in (json.dumps(calls), as_python(calls)):
            if (verdict := score(item, answer)).value < 1:
                wrong.append((item.id, answer, verdict))
        wrong += [
            (item.id, what, answer)
            for what, answer in spoilt(item, calls)
            if score(item, json.dumps(answer)).value == 1
        ]
    assert wrong == []
