"""The script that plays BFCL over several turns: what it hands on to be evaluated, and when a turn is over."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.evaluation.starters import bfcl_multi_turn as script
from studio_core.suites import SUITES


def call(name: str, arguments: Any, id: str = "c1") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


class Played(script.Address):
    """A model whose messages are known."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages, self.asked = list(messages), []  # type: ignore[var-annotated]

    def ask(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
        self.asked.append((len(messages), tools))
        return self._messages.pop(0)


class Counted(script.Services):
    def __init__(self) -> None:
        self.called: list[str] = []

    def call(self, calls: list[str]) -> list[str]:
        self.called += calls
        return [f"result {len(self.called)}"] * len(calls)


def test_only_known_names_with_literals_are_handed_on() -> None:
    names = {"mv", "cd"}
    text = "a'); __import__('os').system('x"
    assert script.written(call("mv", {"source": text, "n": 2}), names) == f"mv(source={text!r}, n=2)"
    assert script.written(call("cd", '{"folder": null}'), names) == "cd(folder=None)"
    for wrong in (
        call("rm", "{}"),
        call("__import__", '{"name": "os"}'),
        call("cd", '{"a=1) or exit(": 1}'),
        call("cd", "[1]"),
        call("cd", "{"),
    ):
        with pytest.raises(ValueError):
            script.written(wrong, names)


FUNCTIONS = [
    {
        "name": "cd",
        "description": "Go.",
        "parameters": {"type": "dict", "properties": {"folder": {"type": "float"}}, "required": ["folder"]},
        "response": {},
    }
]


def test_a_turn_goes_on_until_nothing_is_called() -> None:
    said = {"role": "assistant", "content": "done"}
    address = Played(
        {"role": "assistant", "tool_calls": [call("cd", '{"folder": 1}'), call("rm", "{}")]}, said
    )
    services, messages = Counted(), [{"role": "user", "content": "go"}]
    steps, over = script.turn(address, messages, FUNCTIONS, services, 20)
    assert over and steps == [["cd(folder=1)"]] and services.called == ["cd(folder=1)"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "assistant"]
    assert messages[2]["content"] == "result 1"
    assert messages[3]["content"] == "Error during execution: there is no function rm"
    [tool] = address.asked[0][1]
    assert tool["function"]["parameters"]["type"] == "object" and "response" not in tool["function"]
    assert tool["function"]["parameters"]["properties"] == {"folder": {"type": "number"}}


def test_a_model_that_calls_for_ever_loses() -> None:
    address = Played(*({"role": "assistant", "tool_calls": [call("cd", '{"folder": 1}')]} for _ in range(9)))
    steps, over = script.turn(address, [], FUNCTIONS, Counted(), 3)
    assert not over and len(steps) == len(address.asked) == 4
    assert script.checked([steps], {}, [[], []]) == (False, "multi_turn:force_terminated")


def test_what_the_script_leaves_is_read() -> None:
    benchmark = SUITES["bfcl_multi_turn_miss_func"].benchmark
    assert benchmark is not None
    given = {"starters": "/s {key}", "model": "m", "out": "/o", "address": "a", "key": "k"}
    assert benchmark.command(["python"], 3, given) == [
        *("python", "-I", "/s {key}/bfcl_multi_turn.py", "--category", "miss_func", "--model", "m"),
        *("--out", "/o", "--limit", "3"),
    ]
    assert benchmark.variables(given) == {"OPENAI_BASE_URL": "a", "OPENAI_API_KEY": "k"}
