"""Function calls by the benchmark's rules: types, accepted values, what may be left out, any order, no call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio_core import texts
from studio_core.suites import SUITES, Item, Verdict
from studio_core.suites.bfcl import BFCL, joined

QUESTION: dict[str, Any] = {
    "id": "simple_900",
    "question": [[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Trip to Oslo?"}]],
    "function": [
        {
            "name": "trip.plan",
            "description": "Plans a trip.",
            "parameters": {
                "type": "dict",
                "properties": {
                    "to": {"type": "string", "description": "Place."},
                    "days": {"type": "integer"},
                    "budget": {"type": "float"},
                    "stops": {"type": "array", "items": {"type": "string"}},
                    "people": {"type": "dict", "properties": {"type": {"type": "string"}}},
                    "legs": {"type": "array", "items": {"type": "dict"}},
                    "fast": {"type": "boolean"},
                    "other": {"type": "any"},
                },
                "required": ["to"],
            },
        }
    ],
}
TRUTH = {
    "to": ["Oslo", "Oslo, Norway"],
    "days": [5, ""],
    "budget": [100.0, ""],
    "stops": [["Hamar", "Lillehammer"], ""],
    "people": [{"adults": [2], "children": [0, ""]}, ""],
    "legs": [[{"by": ["rail", "train"]}, {"by": ["bus"]}], ""],
    "fast": [True, ""],
    "other": [None, "x", ""],
}


def item(suite: str = "bfcl_simple", *truth: dict[str, Any]) -> Item:
    [record] = joined(
        [QUESTION], [{"id": "simple_900", "ground_truth": list(truth) or [{"trip.plan": TRUTH}]}]
    )
    return SUITES[suite].item(suite, record, 1)


def score(asked: Item, answer: str) -> Verdict:
    verdict = SUITES[asked.suite].score(asked, answer)
    for language in texts.LANGUAGES:
        assert not verdict.reason or texts.text(
            f"suites.reasons.{verdict.reason}", language, **verdict.values
        )
    return verdict


def called(**arguments: Any) -> str:
    return json.dumps([{"name": "trip.plan", "arguments": arguments}])


def test_functions_stand_in_the_system_prompt_and_as_tools() -> None:
    asked = item()
    system = asked.messages[0]["content"]
    assert asked.messages[0]["role"] == "system" and system.endswith("Be brief.") and '"trip.plan"' in system
    assert [message["role"] for message in asked.messages] == ["system", "user"]
    [tool] = asked.record["tools"]
    parameters = tool["function"]["parameters"]
    assert parameters["type"] == "object" and parameters["properties"]["budget"]["type"] == "number"
    assert "type" not in parameters["properties"]["other"]
    assert parameters["properties"]["people"]["properties"]["type"] == {"type": "string"}


@pytest.mark.parametrize("suite", BFCL)
def test_it_has_names_in_both_languages(suite: Any) -> None:
    for language in texts.LANGUAGES:
        assert texts.text(suite.title_key, language) and texts.text(suite.help_key, language)


@pytest.mark.parametrize(
    "answer",
    [
        called(to="Oslo"),
        called(to="OSLO norway", days=5, budget=100, stops=["hamar", "Lille-hammer"], fast=True),
        called(to="Oslo", people={"adults": 2}, legs=[{"by": "Train"}, {"by": "bus"}], other=None),
        f"```json\n{called(to='Oslo')}\n```",
        '<tool_call>\n{"name": "trip.plan", "arguments": {"to": "Oslo"}}\n</tool_call>',
        "[trip.plan(to='Oslo', days=5, stops=('Hamar', 'Lillehammer'))]",
        "trip.plan(to='Oslo')",
        "```python\n[trip.plan(to='Oslo', other=None)]\n```",
    ],
)
def test_accepted_calls_are_right(answer: str) -> None:
    assert score(item(), answer) == Verdict(1.0)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Oslo is nice.", "no_call"),
        ("[]", "no_call"),
        ("[trip.plan('Oslo')]", "no_call"),
        ("[trip.plan(to=open('x'))]", "no_call"),
        ("<tool_call>trip</tool_call>", "no_call"),
        ("[trip.plan(to='Oslo'), trip.plan(to='Oslo')]", "number_of_calls"),
        ("[trip.book(to='Oslo')]", "wrong_function"),
        (called(), "missing_argument"),
        (called(to="Bergen"), "wrong_value"),
        (called(to=1), "wrong_type"),
        (called(to="Oslo", by="car"), "extra_argument"),
        (called(to="Oslo", days=5.0), "wrong_type"),
        (called(to="Oslo", days=True), "wrong_type"),
        (called(to="Oslo", days="5"), "wrong_type"),
        (called(to="Oslo", stops=["Hamar"]), "wrong_value"),
        (called(to="Oslo", stops=["Lillehammer", "Hamar"]), "wrong_value"),
        (called(to="Oslo", people={"children": 0}), "wrong_value"),
        (called(to="Oslo", people={"adults": 2, "dogs": 1}), "wrong_value"),
        (called(to="Oslo", legs=[{"by": "bus"}, {"by": "rail"}]), "wrong_value"),
        (called(to="Oslo", legs=[{"by": "bus"}]), "wrong_value"),
        (called(to="Oslo", fast=1), "wrong_type"),
        (called(to="Oslo", other=5), "wrong_value"),
    ],
)
def test_other_calls_say_what_is_wrong_with_them(answer: str, reason: str) -> None:
    verdict = score(item(), answer)
    assert (verdict.value, verdict.reason) == (0.0, reason), verdict
    assert verdict.readable is (reason != "no_call")


def test_an_argument_that_no_accepted_call_leaves_out_is_missed() -> None:
    asked = item("bfcl_simple", {"trip.plan": {"to": ["Oslo"], "days": [5]}})
    assert score(asked, called(to="Oslo")).values == {"argument": "days"}


def test_several_calls_come_in_any_order() -> None:
    asked = item("bfcl_parallel", {"trip.plan": {"to": ["Oslo"]}}, {"trip.plan": {"to": ["Bergen"]}})
    assert score(asked, "[trip.plan(to='Bergen'), trip.plan(to='Oslo')]").value == 1
    assert score(asked, "[trip.plan(to='Bergen'), trip.plan(to='Bergen')]").reason == "wrong_value"
    assert score(asked, "[trip.plan(to='Bergen')]").values == {"wanted": 2, "got": 1}


def test_where_no_function_serves_a_call_is_wrong() -> None:
    asked = item("bfcl_irrelevance")
    assert score(asked, "I have no function for that.").value == score(asked, "[]").value == 1
    assert score(asked, called(to="Oslo")).reason == "needless_call"


def test_where_one_serves_any_call_will_do() -> None:
    asked = item("bfcl_live_relevance")
    assert score(asked, called(to=5)).value == 1
    assert score(asked, "I have no function for that.").reason == score(asked, "[]").reason == "no_call"


def test_calls_of_several_functions_come_in_any_order() -> None:
    other = {"name": "hotel", "parameters": {"type": "dict", "properties": {"stars": {"type": "integer"}}}}
    record = {
        **QUESTION,
        "function": [*QUESTION["function"], other],
        "ground_truth": [{"trip.plan": {"to": ["Oslo"]}}, {"hotel": {"stars": [4]}}],
    }
    asked = SUITES["bfcl_parallel_multiple"].item("bfcl_parallel_multiple", record, 1)
    assert score(asked, "[hotel(stars=4), trip.plan(to='Oslo')]").value == 1
    assert score(asked, "[hotel(stars=5), trip.plan(to='Oslo')]").values["wanted"] == "[4]"
    assert score(asked, "[trip.plan(to='Oslo'), trip.plan(to='Oslo')]").reason == "wrong_function"


def test_a_question_without_its_answer_is_refused() -> None:
    with pytest.raises(KeyError, match="simple_900"):
        list(joined([QUESTION], [{"id": "simple_901", "ground_truth": []}]))
    with pytest.raises(ValueError, match="ground_truth"):
        SUITES["bfcl_simple"].item("bfcl_simple", {**QUESTION, "ground_truth": []}, 1)
