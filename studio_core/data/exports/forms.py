"""What a layout makes of the records of each shape, and what most layouts share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio_core.data.exports import tools
from studio_core.data.exports.tools import Unfit
from studio_core.data.shapes import Message, Record, Shape, own_tools

Row = dict[str, Any]


def same(record: Record) -> Record:
    return record


@dataclass(frozen=True)
class Form:
    """What a layout makes of the records of one shape."""

    row: Callable[[Record], Row]
    """The row of a record; raises ``Unfit``."""
    columns: Mapping[str, Any]
    """Its columns with their Arrow types; None where a layout is for JSON only."""
    parts: Mapping[str, str]
    """How the studio reads it back: ``{part: column}``."""
    becomes: Shape
    """The shape that it has then."""
    back: Callable[[Record], Record] = same
    """The record that it is then."""


def as_conversations(chat: Form) -> Form:
    """Of prompts with completions, in a layout that has them as conversations: each is one."""
    return replace(
        chat, row=lambda record: chat.row(whole(record)), back=lambda record: chat.back(whole(record))
    )


@dataclass(frozen=True)
class Layout:
    name: str
    formats: tuple[str, ...]
    forms: Mapping[Shape, Form] = field(default_factory=dict)

    @property
    def title_key(self) -> str:
        return f"exports.layout_{self.name.replace('-', '_')}"

    @property
    def help_key(self) -> str:
        return f"{self.title_key}.help"


def question(prompt: list[Message]) -> str:
    """The text of a prompt that is one question."""
    # Refused and not joined: reading it back would not tell where the question begins.
    if prompt[0]["role"] == "system":
        raise Unfit("system")
    if len(prompt) != 1:
        raise Unfit("turns")
    return user_text(prompt[0])


def user_text(message: Message) -> str:
    if message["role"] != "user":
        raise Unfit("tool_turns")
    return tools.turn_as_text(message)


def answer(answer: list[Message]) -> str:
    return tools.turn_as_text(single(answer))


def single(answer: list[Message]) -> Message:
    if len(answer) != 1:
        raise Unfit("answer_turns")
    return answer[0]


def halves(record: Record) -> Record:
    """A conversation as its last answer and what came before."""
    return {"prompt": record["messages"][:-1], "completion": record["messages"][-1:], **own_tools(record)}


def whole(record: Record) -> Record:
    return {"messages": record["prompt"] + record["completion"], **own_tools(record)}


def rest_of(record: Record, *without: str) -> Row:
    return {name: value for name, value in record.items() if name not in without}
