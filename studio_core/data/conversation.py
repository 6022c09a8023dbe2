"""Messages as chat templates read them: with tools, calls and thoughts where the template has a place for each.

Where it has none, tools become part of the system prompt, calls and thoughts part of the answer, in
the spelling that most open models know. What was done so is said in ``Conversation.notes``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.data.learning import Reasoning
from studio_core.data.shapes import Message, calls_of
from studio_core.models.chat_template import ChatTemplate

TemplateMessage = dict[str, Any]
"""A message as a template reads it: ``tool_calls`` as OpenAI writes them, thoughts as ``reasoning_content``."""

# No template writes this by itself.
_WORD = "qzprobeword"
# Nine signs, so that Mistral's templates, which check it, do not refuse the probe.
_ID = "call00001"
_USER = {"role": "user", "content": "a"}
_ANSWER = {"role": "assistant", "content": "b"}
# Their templates compare the length of an id with 9; it cannot be seen in what they write.
_SHORT_IDS = re.compile(r"length\b[^%}]{0,20}\b9\b")


class Places:
    """What a template has a place for, told by what it writes of a short conversation; looked at when it is asked."""

    def __init__(self, template: ChatTemplate) -> None:
        self._template = template

    @cached_property
    def system(self) -> bool:
        return self._writes([{"role": "system", "content": _WORD}, _USER])

    @cached_property
    def tools(self) -> bool:
        return self._writes([_USER], [_tool(_WORD)])

    @cached_property
    def calls(self) -> bool:
        return self._writes([_USER, _calling(_WORD)], [_tool(_WORD)])

    @cached_property
    def tool_role(self) -> bool:
        result = {"role": "tool", "name": "x", "tool_call_id": _ID, "content": _WORD}
        plain = [_USER, _ANSWER, {"role": "tool", "content": _WORD}]
        # Some refuse a result without a call before it, others know no calls: either way will do.
        return self._writes([_USER, _calling("x"), result], [_tool("x")]) or self._writes(plain)

    @cached_property
    def reasoning(self) -> bool:
        return self._writes([_USER, {**_ANSWER, **_thought(_WORD)}])

    @cached_property
    def short_ids(self) -> bool:
        """Ids of calls have to be nine letters or digits (Mistral)."""
        return bool(_SHORT_IDS.search(self._template.source))

    def _writes(self, messages: list[TemplateMessage], tools: list[Any] | None = None) -> bool:
        try:
            return _WORD in self._template.render(messages, tools=tools)[0]
        except BadInput:
            # A template that refuses has no place for it.
            return False


@dataclass(frozen=True)
class Conversation:
    """One conversation as it is given to a template."""

    messages: list[TemplateMessage]
    tools: list[Any] | None = None
    first: int = 0
    """The first message that answers: what precedes it is the prompt."""
    muted: frozenset[int] = frozenset()
    """Messages that are not to be learnt."""
    thoughts: dict[int, str] = field(default_factory=dict)
    notes: frozenset[str] = frozenset()
    """What had no place in the template: ``tools_as_text``, ``calls_as_text``, ``reasoning_as_tags``,
    ``results_as_user``."""


@dataclass
class _SoFar:
    """What of a conversation is written already."""

    notes: set[str] = field(default_factory=set)
    calls: int = 0
    pending: list[str] = field(default_factory=list)
    """Ids of calls that no result has answered yet."""


def conversation(
    places: Places,
    messages: Sequence[Message],
    tools: list[Any] | None = None,
    *,
    answers: int | None = None,
    reasoning: Reasoning = "learn",
) -> Conversation:
    """``answers``: how many messages at the end are the answer; all are looked at if it is left out."""
    so_far = _SoFar()
    notes = so_far.notes
    written = [_message(places, message, reasoning, so_far) for message in messages]
    muted = {at for at, message in enumerate(messages) if message.get("train") is False}
    thoughts = {at: m["reasoning"] for at, m in enumerate(messages) if m.get("reasoning")}
    if tools and not places.tools:
        notes.add("tools_as_text")
        before = len(written)
        written = _with_system(places, written, _tools_text(tools))
        added = len(written) - before
        # A system turn that was put in front moves all places by one.
        muted, thoughts = {at + added for at in muted}, {at + added: t for at, t in thoughts.items()}
        tools = None
    return Conversation(
        messages=written,
        tools=[*map(_definition, tools)] if tools else None,
        first=0 if answers is None else len(written) - answers,
        muted=frozenset(muted),
        thoughts=thoughts if reasoning != "drop" else {},
        notes=frozenset(notes),
    )


def _message(places: Places, message: Message, reasoning: Reasoning, so_far: _SoFar) -> TemplateMessage:
    written: TemplateMessage = {"role": message["role"], "content": message["content"]}
    for key in ("name", "tool_call_id"):
        if message.get(key):
            written[key] = message[key]
    if message["role"] == "tool":
        if places.tool_role:
            # Files often leave ids out: results answer the calls in their order.
            expected = so_far.pending.pop(0) if so_far.pending else ""
            if answered := written.get("tool_call_id") or expected:
                written["tool_call_id"] = _short(answered) if places.short_ids else answered
            return written
        so_far.notes.add("results_as_user")
        return {"role": "user", "content": f"<tool_response>\n{message['content']}\n</tool_response>"}
    if calls := calls_of(message):
        _add_calls(places, written, calls, so_far)
    thought = message.get("reasoning")
    if thought and reasoning != "drop":
        if places.reasoning:
            written |= _thought(thought)
        else:
            so_far.notes.add("reasoning_as_tags")
            written["content"] = f"<think>\n{thought}\n</think>\n\n{written['content']}"
    return written


def _add_calls(places: Places, written: TemplateMessage, calls: list[dict[str, Any]], so_far: _SoFar) -> None:
    if places.calls:
        # Counted through the conversation, so that no two calls have the same.
        ids = [str(call.get("id") or f"call{so_far.calls + n:05}") for n, call in enumerate(calls)]
        so_far.calls += len(ids)
        so_far.pending = [*ids]
        written["tool_calls"] = [
            _call(call["name"], call.get("arguments", {}), _short(id) if places.short_ids else id)
            for call, id in zip(calls, ids, strict=True)
        ]
        return
    so_far.notes.add("calls_as_text")
    spelled = [
        _call_text(json.dumps({"name": c["name"], "arguments": c.get("arguments", {})}, ensure_ascii=False))
        for c in calls
    ]
    written["content"] = "\n".join([*([written["content"]] if written["content"] else []), *spelled])


def _with_system(places: Places, messages: list[TemplateMessage], text: str) -> list[TemplateMessage]:
    """The conversation with this text added to its system prompt; or to what is asked first, if there is none."""
    # Gemma's first templates know no system role: there it opens the first question.
    if messages and (messages[0]["role"] == "system" or not places.system):
        first = messages[0]
        return [{**first, "content": f"{first['content']}\n\n{text}"}, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def _calling(name: str) -> TemplateMessage:
    return {"role": "assistant", "content": "", "tool_calls": [_call(name, {}, _ID)]}


def _call(name: str, arguments: Any, id: str) -> dict[str, Any]:
    return {"type": "function", "id": id, "function": {"name": name, "arguments": arguments}}


def _call_text(call: str) -> str:
    """A call as it stands in the assistant's text, in the spelling that most open models know."""
    return f"<tool_call>\n{call}\n</tool_call>"


def _tools_text(tools: list[Any]) -> str:
    """The system text that tells a model of its tools, as Qwen's and Hermes' templates write it."""
    listed = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    return (
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n"
        f"<tools>\n{listed}\n</tools>\n\n"
        "For each function call, return a json object with function name and arguments within "
        '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, '
        '"arguments": <args-json-object>}\n</tool_call>'
    )


def _definition(tool: Any) -> Any:
    """A tool as OpenAI defines it; some files have its function alone."""
    bare = isinstance(tool, dict) and "name" in tool and "function" not in tool
    return {"type": "function", "function": tool} if bare else tool


def _tool(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {}}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": parameters}}


def _thought(text: str) -> dict[str, str]:
    """Under all names that templates read it by."""
    return {"reasoning_content": text, "thinking": text, "reasoning": text}


def _short(id: str) -> str:
    """Nine letters and digits, the same for the same id."""
    letters = re.sub(r"[^A-Za-z0-9]", "", id)
    # The end of an id differs, its beginning ("chatcmpl-tool-") does not.
    return letters[-9:].rjust(9, "0")
