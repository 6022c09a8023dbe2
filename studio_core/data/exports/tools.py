"""Tools and their calls as other programs write them: the way back from the texts that the studio stores."""

from __future__ import annotations

import json
import re
from collections import deque
from typing import Any

from studio_core.data.shapes import Message
from studio_core.data.turns import Rejected, tool_call, tools_prompt, turns, with_system

_BEFORE, _AFTER = tools_prompt(["*"], "").split('"*"')
_CALL = re.compile(r"(?:^|\n)<tool_call>\n((?:(?!</?tool_call>).)*)\n</tool_call>", re.DOTALL)
_SHAREGPT_ROLES = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


class Unfit(Exception):
    """A record that a layout cannot hold. ``code`` is a key of the text catalogue: ``exports.unfit_<code>``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def opening(messages: list[Message]) -> tuple[str, list[Any], list[Message]]:
    """System prompt without the tools that it lists, these tools, and the other messages."""
    if messages[0]["role"] != "system":
        return "", [], messages
    text, rest = messages[0]["content"], messages[1:]
    before, found, listed = text.removesuffix(_AFTER).rpartition(_BEFORE)
    if not found or not text.endswith(_AFTER):
        return text, [], rest
    try:
        listing = [json.loads(line) for line in listed.split("\n")]
        system = before.removesuffix("\n\n")
        opened = with_system([], system, tools_prompt(listing, ""))
    except (ValueError, RecursionError, Rejected):
        return text, [], rest
    same = bool(opened) and opened[0]["content"] == text and all(isinstance(tool, dict) for tool in listing)
    return (system, listing, rest) if same else (text, [], rest)


def openai_messages(messages: list[Message]) -> tuple[list[dict[str, Any]], list[Any]]:
    """OpenAI's messages and tools; calls written in an answer become ``tool_calls`` with ids."""
    system, listed, rest = opening(messages)
    written: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    waiting: deque[str] = deque()
    number = 0
    for message in rest:
        if message["role"] == "tool":
            if not waiting:
                raise Unfit("tool_unmatched")
            written.append({"role": "tool", "tool_call_id": waiting.popleft(), "content": message["content"]})
            continue
        waiting.clear()
        calls = _openai_calls(message, number) if message["role"] == "assistant" else None
        if calls is not None:
            number += len(calls["tool_calls"])
            waiting.extend(call["id"] for call in calls["tool_calls"])
        written.append(calls or dict(message))
    return written, [_openai_tool(tool) for tool in listed]


def _openai_tool(tool: dict[str, Any]) -> dict[str, Any]:
    return tool if "function" in tool else {"type": "function", "function": tool}


def _openai_calls(message: Message, number: int) -> dict[str, Any] | None:
    """An answer that ends in calls as OpenAI has it; None if it ends in none that would be read back."""
    text = message["content"]
    start, calls = len(text), list[str]()
    for match in _CALL.finditer(text):
        if calls and match.start() != start:
            calls.clear()
        if not calls:
            said = text[: match.start()]
        calls.append(match[1])
        start = match.end()
    if not calls or start != len(text):
        return None
    try:
        parsed = [json.loads(call) for call in calls]
        written = {
            "role": "assistant",
            "content": said or None,
            "tool_calls": [
                {
                    "id": f"call_{number + place}",
                    "type": "function",
                    "function": {"name": call["name"], "arguments": as_json(call["arguments"])},
                }
                for place, call in enumerate(parsed, start=1)
            ],
        }
        same = turns([written], "assistant", "") == [message]
    except (ValueError, RecursionError, KeyError, TypeError, Rejected):
        return None
    return written if same else None


def sharegpt_turns(messages: list[Message]) -> list[dict[str, str]]:
    """Turns of ``from`` and ``value``; an answer that is one call has a role of its own."""
    written = []
    for message in messages:
        role, text = _SHAREGPT_ROLES[message["role"]], message["content"]
        if role == "gpt" and (match := _CALL.fullmatch(text)) and tool_call(match[1]) == text:
            role, text = "function_call", match[1]
        written.append({"from": role, "value": text})
    return written
