"""Shapes of a record, and how a record of each is stored: one row of a dataset's Parquet file.

    text                  text: str
    prompt-completion     prompt: messages, completion: messages
    chat                  messages: messages
    preference            prompt: messages, chosen: messages, rejected: messages
    unpaired-preference   prompt: messages, completion: messages, label: bool
    prompt-only           prompt: messages, and any further columns, as text
    stepwise              prompt: messages, completions: list of str, labels: list of bool, one for each
    scored                prompt: messages, completion: messages, score: float from 1 to 10, the best
    ranking               prompt: messages, completions: list of str, ranks: list of int, one for each: 1 is the
                          best, equal ranks are ties

``messages`` is always a list of ``Message`` with roles system, user, assistant and tool. Records
with messages may also have ``tools``, the definitions of the tools that the model may call.
Whatever columns a file came with, its records are stored like this, so that methods, trainers and
previews know one form only. A key that a turn does not have is not there: a file gives nulls for
it where another turn has it, which ``without_nulls`` takes away. Imports the standard library
only: workers read this.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NotRequired, TypedDict


class Shape(StrEnum):
    TEXT = "text"
    PROMPT_COMPLETION = "prompt-completion"
    CHAT = "chat"
    PREFERENCE = "preference"
    UNPAIRED_PREFERENCE = "unpaired-preference"
    PROMPT_ONLY = "prompt-only"
    STEPWISE = "stepwise"
    SCORED = "scored"
    RANKING = "ranking"


class Message(TypedDict):
    role: str
    content: str
    """Empty where a turn of the assistant only calls tools."""
    reasoning: NotRequired[str]
    """What the assistant thought before it answered."""
    tool_calls: NotRequired[str]
    """JSON text of a list of ``{"name", "arguments"}``, and ``"id"`` where there was one.

    As text, since a Parquet column gives the arguments of every call the keys of all others.
    """
    name: NotRequired[str]
    """Of the tool that answers, or of who speaks."""
    tool_call_id: NotRequired[str]
    """The call that a turn of a tool answers."""
    train: NotRequired[bool]
    """False: this turn is not learnt, whatever its role."""


OPTIONAL_KEYS: dict[str, type] = {
    "reasoning": str,
    "tool_calls": str,
    "name": str,
    "tool_call_id": str,
    "train": bool,
}
"""Keys of a message beyond role and content, in the order in which they are stored."""

TOOLS = "tools"
"""Column of records with messages: JSON text of the list of definitions, as the file had them."""

Record = dict[str, Any]

ROLES = ("system", "user", "assistant", "tool")

LOWEST_SCORE, HIGHEST_SCORE = 1.0, 10.0
"""Of a scored answer."""

COLUMNS: dict[Shape, tuple[str, ...]] = {
    Shape.TEXT: ("text",),
    Shape.PROMPT_COMPLETION: ("prompt", "completion"),
    Shape.CHAT: ("messages",),
    Shape.PREFERENCE: ("prompt", "chosen", "rejected"),
    Shape.UNPAIRED_PREFERENCE: ("prompt", "completion", "label"),
    Shape.PROMPT_ONLY: ("prompt",),
    Shape.STEPWISE: ("prompt", "completions", "labels"),
    Shape.SCORED: ("prompt", "completion", "score"),
    Shape.RANKING: ("prompt", "completions", "ranks"),
}
"""Columns that every record of the shape has, in the order in which they are stored."""


def further_columns(shape: Shape, names: Iterable[str]) -> list[str]:
    """Those of these columns that a record of the shape has beyond its own, ``tools`` not among them."""
    return [
        name for name in names if name not in COLUMNS[shape] and not (name == TOOLS and has_messages(shape))
    ]


def has_messages(shape: Shape) -> bool:
    return shape is not Shape.TEXT


def without_nulls(record: Record) -> Record:
    """The record of a row as a file gives it, changed in place: keys that it does not have are taken away."""
    if TOOLS in record and record[TOOLS] is None:
        del record[TOOLS]
    for name, value in record.items():
        # All messages of a file have the same keys there, so that the first one tells.
        if isinstance(value, list) and value and isinstance(value[0], dict) and len(value[0]) > 2:
            record[name] = [{key: v for key, v in message.items() if v is not None} for message in value]
    return record


def own_tools(record: Record) -> Record:
    """The column of tools, if the record has one: for those that are made of it."""
    return {TOOLS: record[TOOLS]} if TOOLS in record else {}


def tools_of(record: Record) -> list[Any]:
    """Definitions of the tools of a record, as structure."""
    return _parse_list(record.get(TOOLS))


def calls_of(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The calls of a turn, ``{"name", "arguments"}`` and ``"id"`` where there is one, as structure."""
    return _parse_list(message.get("tool_calls"))


def turn_text(message: Mapping[str, Any]) -> str:
    """What a turn says: its text, and the calls of tools after it."""
    return "\n".join(part for part in (message["content"], message.get("tool_calls")) if part)


def _parse_list(text: str | None) -> list[Any]:
    listed: list[Any] = json.loads(text) if text else []
    return listed


def texts_of(record: Record) -> Iterator[str]:
    """All texts of a record, in order."""
    for value in record.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    # In the order in which a template writes them.
                    yield from (item[key] for key in ("reasoning", "content", "tool_calls") if key in item)
                elif isinstance(item, str):
                    yield item


def question_text(messages: list[Message]) -> str:
    """What is asked as one text, without the system prompt."""
    return "\n".join(message["content"] for message in messages if message["role"] != "system")
