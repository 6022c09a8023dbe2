"""Turns as other programs write them: calls of tools, what was thought, and what is not to be learnt."""

from __future__ import annotations

from collections import deque
from typing import Any

from studio_core.data.calls import as_json
from studio_core.data.shapes import TOOLS, Message, Record, calls_of

_SHAREGPT_ROLES = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}

__all__ = [
    "Unfit",
    "as_json",
    "openai_messages",
    "sharegpt_turns",
    "swift_messages",
    "trl_messages",
    "turn_as_text",
    "with_ids",
    "without_ids",
]


class Unfit(Exception):
    """A record that a layout cannot hold. ``code`` is a key of the text catalogue: ``exports.unfit_<code>``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def without_tools(record: Record) -> Record:
    """The record, for a layout that has no place for definitions of tools."""
    if TOOLS in record:
        raise Unfit("tools")
    return record


def turn_as_text(message: Message) -> str:
    """A turn in a layout that has texts only: what was thought stands before the answer, as models write it."""
    if "tool_calls" in message:
        raise Unfit("tool_turns")
    if "train" in message:
        raise Unfit("not_learnt")
    return _with_thoughts(message)


def _with_thoughts(message: Message) -> str:
    reasoning = message.get("reasoning")
    return f"<think>\n{reasoning}\n</think>\n\n{message['content']}" if reasoning else message["content"]


# TRL, as chat templates take messages


def trl_messages(messages: list[Message]) -> list[dict[str, Any]]:
    return [_trl(message) for message in messages]


def _trl(message: Message) -> dict[str, Any]:
    # Most have role and content only.
    if len(message) == 2:
        return dict(message)
    written: dict[str, Any] = {"role": message["role"], "content": message["content"]}
    if "reasoning" in message:
        written["reasoning_content"] = message["reasoning"]
    if "tool_calls" in message:
        written["tool_calls"] = [_call(call, call["arguments"]) for call in calls_of(message)]
    for key in ("name", "tool_call_id", "train"):
        if key in message:
            written[key] = message[key]
    return written


def _call(call: dict[str, Any], arguments: Any) -> dict[str, Any]:
    number = {"id": call["id"]} if "id" in call else {}
    return {**number, "type": "function", "function": {"name": call["name"], "arguments": arguments}}


# OpenAI


def with_ids(messages: list[Message]) -> list[Message]:
    """Every call with an id, and every answer of a tool with that of its call, the first that still waits for one."""
    waiting: deque[str] = deque()
    number = 0
    written: list[Message] = []
    for message in messages:
        if message["role"] == "tool":
            # OpenAI refuses a result that names no call.
            id = message.get("tool_call_id") or (waiting[0] if waiting else None)
            if id is None:
                raise Unfit("tool_unmatched")
            if id in waiting:
                waiting.remove(id)
            message = {**message, "tool_call_id": id}
        elif "tool_calls" in message:
            calls = calls_of(message)
            for call in calls:
                number += 1
                # Numbered through the conversation: the same for the same record, whenever it is written.
                call.setdefault("id", f"call_{number}")
            waiting = deque(call["id"] for call in calls)
            message = {**message, "tool_calls": as_json(calls)}
        else:
            waiting.clear()
        written.append(message)
    return written


def openai_messages(messages: list[Message]) -> list[dict[str, Any]]:
    """Messages with ``tool_calls``, ids and weights."""
    return [_openai(message) for message in with_ids(messages)]


def _openai(message: Message) -> dict[str, Any]:
    written = _trl(message)
    if "tool_calls" in message:
        # OpenAI has null beside calls, where others have an empty text.
        written["content"] = message["content"] or None
        written["tool_calls"] = [_call(call, as_json(call["arguments"])) for call in calls_of(message)]
    if written.pop("train", True) is False:
        # Its word for a turn that is not learnt.
        written["weight"] = 0
    return written


def openai_tool(tool: Any) -> Any:
    known = isinstance(tool, dict) and "function" not in tool
    return {"type": "function", "function": tool} if known else tool


# ShareGPT


def sharegpt_turns(messages: list[Message]) -> list[dict[str, str]]:
    """Turns of ``from`` and ``value``; an answer that only calls has a role of its own."""
    return [_sharegpt(message) for message in messages]


def _sharegpt(message: Message) -> dict[str, str]:
    if "train" in message:
        raise Unfit("not_learnt")
    if "tool_calls" not in message:
        return {"from": _SHAREGPT_ROLES[message["role"]], "value": _with_thoughts(message)}
    # A turn has one value there: the text or the calls.
    if message["content"] or "reasoning" in message:
        raise Unfit("call_beside_text")
    calls = [_without_id(call) for call in calls_of(message)]
    return {"from": "function_call", "value": as_json(calls[0] if len(calls) == 1 else calls)}


def _without_id(call: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in call.items() if name != "id"}


def without_ids(messages: list[Message]) -> list[Message]:
    """The turns in a layout that knows the calls by their order."""
    written: list[Message] = []
    for message in messages:
        if "tool_calls" in message:
            calls = as_json([_without_id(call) for call in calls_of(message)])
            message = {**message, "tool_calls": calls}
        message = message.copy()
        message.pop("tool_call_id", None)
        written.append(message)
    return written


# ms-swift


def swift_messages(messages: list[Message]) -> list[dict[str, Any]]:
    """Messages in which each call is a turn ``tool_call``, and ``loss`` says what is not learnt."""
    written: list[dict[str, Any]] = []
    for message in messages:
        marked = {"loss": False} if "train" in message else {}
        role = "tool_response" if message["role"] == "tool" else message["role"]
        text = _with_thoughts(message)
        # A turn that only calls has no text of its own.
        if text or "tool_calls" not in message:
            written.append({"role": role, "content": text, **marked})
        for call in calls_of(message):
            written.append({"role": "tool_call", "content": as_json(_without_id(call)), **marked})
    return written
