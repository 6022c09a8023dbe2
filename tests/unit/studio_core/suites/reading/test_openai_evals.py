"""Samples of OpenAI Evals read as items, scored as the class that is named scores them."""

from __future__ import annotations

from typing import Any

import pytest

from studio_core.suites import assertions
from studio_core.suites.reading import openai_evals

CASES: dict[str, tuple[Any, list[str], list[str]]] = {
    "Match": (["Lima", "lima"], ["Lima", "lima, of course"], ["It is Lima", ""]),
    "Includes": ("Lima", ["It is Lima."], ["lima"]),
    "FuzzyMatch": ("The Lima, Peru!", ["lima peru", "Lima", "It is Lima Peru."], ["", "Quito"]),
    "JsonMatch": (
        [{"a": 1, "b": [True]}, '{"c": null}'],
        ['{"b": [true], "a": 1.0}', '{"c": null}'],
        ['{"a": 1, "b": [1]}', "a: 1", '{"a": 1}'],
    ),
}


@pytest.mark.parametrize("scored_by", openai_evals.CLASSES)
def test_each_class(scored_by: str) -> None:
    ideal, right, wrong = CASES[scored_by]
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}]
    line = openai_evals.item({"input": asked, "ideal": ideal}, scored_by, 3)
    item = assertions.item("own", line, 1)
    assert item.id == "3" and list(item.messages) == asked
    assert [assertions.score(item, answer).value for answer in right + wrong] == [
        *[1.0] * len(right),
        *[0.0] * len(wrong),
    ]


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"input": "", "ideal": []}, "ideal: empty"),
        ({"input": [], "ideal": "a"}, "input: empty"),
        ({"input": ["a"], "ideal": "a"}, "'a' is no message of text"),
        ({"input": [{"role": "tool", "content": "a"}], "ideal": "a"}, "role 'tool'"),
        (
            {"input": [{"role": "system", "name": "example_user", "content": "a"}], "ideal": "a"},
            "name 'example_user'",
        ),
    ],
)
def test_what_is_no_sample(record: dict[str, Any], told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        openai_evals.item(record, "Match", 1)
