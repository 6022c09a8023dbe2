from __future__ import annotations

import json

import pytest

from jobs.demo.world import build_world
from studio_core.data.tool_calls import MOST_CALLS, Call, calls_in
from studio_core.environments import ENVIRONMENTS
from studio_core.environments.base import ToolError
from studio_core.environments.calculator import LARGEST, calculate
from studio_core.environments.world_search import FACTS, MOST, search
from studio_core.methods import METHODS
from studio_core.methods.rollouts import EnvironmentOptions, RolloutOptions


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("37*48", "1776"), ("347 + 586", "933"), ("-3 + (4*5)", "17"), ("7 × 8", "56"), ("6/3", "2"),
        ("1/3", "0.3333333333"), ("(" * 99 + "1" + ")" * 99, "1"),
        ("2^10", "1024"), ("17 // 5", "3"), ("17 % 5", "2"), (str(LARGEST), str(LARGEST)), ("2**-1", "0.5"),
    ],
)  # fmt: skip
def test_expressions_are_computed(expression: str, value: str) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "", "3 +", "1/0", "2**1000", "(2**90)**90", f"{LARGEST}*10", "__import__('os').getcwd()", "open", "1e9",
        "1 if 1 else 2",
        "1+" * 200 + "1", "(-8)**(1/3)", "1_0", "'a'*3", "9**9**9**9", "1.0.0", "0**-1", "3(4)",
    ],
)  # fmt: skip
def test_what_is_no_number_is_an_error_and_nothing_is_carried_out(expression: str) -> None:
    with pytest.raises(ToolError):
        calculate(expression)


def test_facts_are_those_of_the_demo_world() -> None:
    facts = [[fact.subject, fact.attribute, fact.value] for fact in build_world().facts]
    assert json.loads(FACTS.read_text(encoding="utf-8")) == facts
    subject, attribute, value = facts[3]
    assert search(f"{attribute} of {subject.lower()}?") == f"{subject}: {attribute} {value}"
    assert search(subject).count(";") == MOST - 1
    with pytest.raises(ToolError):
        search("xyzzy")


def test_calls_are_read_in_the_forms_that_templates_write() -> None:
    call = Call("calculator", {"expression": "37*48"})
    plain = json.dumps({"name": "calculator", "arguments": {"expression": "37*48"}})
    marked = f"Let me see.\n<tool_call>\n{plain}\n</tool_call>"
    assert calls_in(marked) == calls_in(plain) == calls_in(plain.replace("arguments", "parameters")) == [call]
    assert calls_in(f"[{plain}, {plain}]") == calls_in(marked + marked) == [call, call]
    assert len(calls_in(marked * 20)) == MOST_CALLS
    # What is marked as a call and is none is told so; an answer that quotes JSON is an answer.
    assert calls_in("<tool_call>calculator 37*48</tool_call>") == [Call()]
    for answer in ("1776", f"It was {plain}.", "[1, 2]", '{"a": 1}', "{" * 5000, ""):
        assert calls_in(answer) == []


def test_what_is_wrong_with_a_call_is_told_the_model() -> None:
    environment = ENVIRONMENTS["demo_world"]
    assert environment.answer(Call("calculator", {"expression": "6*7"})).text == "42"
    assert environment.answer(Call("calculator", {"expression": 42})).text == "42"
    for call, part in (
        (Call(), "as JSON"), (Call("browse", {}), "calculator, search"), (Call("search", {}), "needs query"),
        (Call("calculator", {"expression": "x"}), "no expression"),
    ):  # fmt: skip
        result = environment.answer(call)
        assert result.failed and result.text.startswith("error: ") and part in result.text


def test_the_option_offers_all_environments() -> None:
    choices = next(field for field in METHODS["grpo"].fields if field.name == "environment").choices
    assert choices == ("none", *ENVIRONMENTS)
    options = EnvironmentOptions(environment="demo_world")
    assert [tool["function"]["name"] for tool in json.loads(options.told_tools or "")] == [
        "calculator",
        "search",
    ]
    assert EnvironmentOptions(environment="demo_world", tools_in_prompt=False).told_tools == ""
    assert EnvironmentOptions().told_tools is RolloutOptions().told_tools is None
    assert all(
        "environment" not in METHODS[name].Options.model_fields for name in ("ppo", "trpo", "online-dpo")
    )
