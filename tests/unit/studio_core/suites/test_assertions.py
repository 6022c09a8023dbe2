"""Checks that items of added suites declare, and the files that are taken for such suites."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio_core.suites import SUITES, assertions, suites_in

CASES: dict[str, tuple[Any, str, str]] = {
    "equals": ({"a": [1]}, '{"a": [1]}', '{"a": [true]}'),
    "contains": (12, "it is 12", "it is 1 2"),
    "icontains": ("Yes", "oh yes", "no"),
    "contains-any": (["a", "b"], "b", "A"),
    "icontains-any": (["a", "b"], "B", "c"),
    "contains-all": (["a", "b"], "b a", "a"),
    "icontains-all": (["a", "b"], "B a", "a"),
    "starts-with": ("Yes", "Yes, so", "Oh Yes"),
    "regex": (r"^\d+$", "12", "12a"),
    "is-json": (None, "[1]", "NaN"),
    "contains-json": (None, 'so: {"a": {}} it is', "see [1] {a}"),
}


@pytest.mark.parametrize("name", [name for name in assertions.CHECKS if name in CASES])
def test_each_check(name: str) -> None:
    value, right, wrong = CASES[name]
    assert assertions.CHECKS[name](value, right) and not assertions.CHECKS[name](value, wrong)
    item = assertions.item(
        "own", {"messages": [], "checks": [{"type": name, "value": value, "not": True}]}, 1
    )
    assert [assertions.score(item, answer).value for answer in (right, wrong)] == [0, 1]
    assert item.key.startswith(f"not-{name}")


def test_a_pattern_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assertions, "_PATTERN_SECONDS", 0.1)
    with pytest.raises(TimeoutError):
        assertions.CHECKS["regex"](r"^(a|aa|b?a)+$", "a" * 60 + "!")


@pytest.mark.parametrize(
    ("checks", "told"), [([], "no check"), ([{"type": "eval"}], "'eval'"), ([{"type": "exec" * 30}], "exec")]
)
def test_an_item_without_a_known_check_is_none(checks: list[Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        assertions.item("own", {"messages": [], "checks": checks}, 1)


def test_only_files_of_items_are_suites(tmp_path: Path) -> None:
    line = json.dumps({"messages": [{"role": "user", "content": "?"}], "checks": [{"type": "is-json"}]})
    for name, content in {
        "mine.jsonl": line,
        "gsm8k.jsonl": line,
        "questions.jsonl": '{"messages": []}',
        "notes.txt": line,
        "broken.jsonl": "{",
        "list.jsonl": "[1]",
    }.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "folder.jsonl").mkdir()
    suites = suites_in(tmp_path)
    assert {*suites} == {*SUITES, "mine"} and suites["gsm8k"] is SUITES["gsm8k"]
    [item] = suites["mine"].read(tmp_path / "mine.jsonl")
    assert suites["mine"].right(item, " [] ") and suites_in(tmp_path / "none") == SUITES
