"""Documents of promptfoo read as items, and what is refused by its name."""

from __future__ import annotations

from typing import Any

import pytest

from studio_core.base.errors import BadInput
from studio_core.suites import assertions
from studio_core.suites.reading import promptfoo

CAPITAL = {"type": "contains", "value": "{{ capital }}"}


def document(**changes: Any) -> dict[str, Any]:
    test = {"vars": {"land": "Peru", "capital": "Lima"}, "assert": [CAPITAL]}
    return {"prompts": ["What is the capital of {{land}}?"], "tests": [test], "providers": ["x:y"], **changes}


def lines(**changes: Any) -> list[dict[str, Any]]:
    return [*promptfoo.items(document(**changes), "tests.yaml")]


def test_a_test_is_asked_with_its_variables_and_scored_by_its_assertions() -> None:
    [line] = lines()
    item = assertions.item("own", line, 1)
    assert (
        item.question == "What is the capital of Peru?" and item.key == 'contains "Lima"' and item.id == "1"
    )
    assert assertions.score(item, "It is Lima.").value == 1
    failed = assertions.score(item, "It is Quito.")
    assert (failed.value, failed.values) == (0, {"checks": 'contains "Lima"'})


def test_every_test_is_asked_with_every_prompt_and_every_value() -> None:
    chat = '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say {{word}}."}]'
    own = {"vars": {"word": ["yes", "no", 7]}, "assert": [{"type": "equals", "value": "{{word}}"}]}
    made = lines(prompts=["Write {{word}}", {"raw": chat, "label": "chat"}], tests=[own])
    assert [line["id"] for line in made] == ["1.1", "1.2", "1.3", "1.4", "1.5", "1.6"]
    assert {line["cluster"] for line in made} == {"1"} and made[5]["kind"] == "prompt 2"
    assert made[5]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Say 7."},
    ]
    assert made[4]["checks"] == [{"type": "equals", "value": "7"}]


def test_what_all_tests_have_comes_from_the_default() -> None:
    common = {
        "vars": {"land": "Chad"},
        "assert": [{"type": "not-icontains", "value": "sorry"}],
        "threshold": 0.5,
    }
    [line] = lines(
        defaultTest=common, tests=[{"assert": [{"type": "starts-with", "value": "N", "weight": 3}]}]
    )
    assert line["messages"][0]["content"].endswith("Chad?")
    item = assertions.item("own", line, 1)
    values = [
        assertions.score(item, answer).value for answer in ("N'Djamena", "Sorry", "Nobody, sorry", "Moundou")
    ]
    assert values == [1, 0, 1, 0]  # By weights 4, 0, 3 and 1 of 4.


def test_a_value_is_no_template() -> None:
    own = {"vars": {"land": "{{capital}} {% x %}"}, "assert": [{"type": "is-json"}]}
    assert lines(tests=[own])[0]["messages"][0]["content"] == "What is the capital of {{capital}} {% x %}?"


def refused(check: dict[str, Any] | None = None, **test: Any) -> dict[str, Any]:
    return {"tests": [{"vars": {"land": "Peru"}, "assert": [check or {"type": "is-json"}], **test}]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (refused({"type": "llm-rubric", "value": "is kind"}), "llm-rubric asks another model"),
        (refused({"type": "not-javascript", "value": "true"}), "not-javascript is code"),
        (refused({"type": "levenshtein", "value": "a"}), "type levenshtein here"),
        (refused({"type": "is-json", "value": {"type": "object"}}), "schemas are not checked"),
        (refused({"type": "contains"}), "contains cannot have the value None"),
        (refused({"type": "regex", "value": "(a"}), r"\(a is no regular expression"),
        (refused({"type": "contains", "value": "{{city}}"}), "the variable city, only for: land"),
        (refused({"type": "contains", "value": "file://a.txt"}), "file://a.txt is another file"),
        (refused({"type": "contains", "value": "a", "transform": "x"}), "transform is not read here"),
        (refused(options={"transform": "x"}), "test 1: options is not read here"),
        (refused(**{"assert": []}), "has no assert"),
        (refused(threshold="half"), "'half' is not what promptfoo has there"),
        ({"prompts": ["{{ land | upper }}"]}, r"\{\{ land \| upper \}\} is more than a plain name"),
        ({"prompts": ["{% if land %}a{% endif %}"]}, "is more than a plain name"),
        ({"prompts": ["file://prompt.txt"]}, "prompt.txt is another file"),
        ({"prompts": [["a"]]}, "is not what promptfoo has there"),
        ({"tests": "file://tests.csv"}, "tests.csv is another file"),
        ({"scenarios": []}, "scenarios is not read here"),
        (
            refused(vars={"land": "Peru", **{name: [*range(100)] for name in "abc"}}),
            "more than 100,000 tests",
        ),
    ],
)
def test_what_is_not_read_is_told_by_its_name(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        lines(**changes)
