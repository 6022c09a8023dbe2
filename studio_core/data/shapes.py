"""Shapes of a record, and how a record of each is stored: one row of a dataset's Parquet file.

    text                  text: str
    prompt-completion     prompt: messages, completion: messages
    chat                  messages: messages
    preference            prompt: messages, chosen: messages, rejected: messages
    unpaired-preference   prompt: messages, completion: messages, label: bool
    prompt-only           prompt: messages, and any further columns, as text
    stepwise              prompt: messages, completions: list of str, labels: list of bool, one for each

``messages`` is always a list of ``{"role", "content"}`` with roles system, user, assistant and
tool. Whatever columns a file came with, its records are stored like this, so that methods,
trainers and previews know one form only. Imports the standard library only: workers read this.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, TypedDict


class Shape(StrEnum):
    TEXT = "text"
    PROMPT_COMPLETION = "prompt-completion"
    CHAT = "chat"
    PREFERENCE = "preference"
    UNPAIRED_PREFERENCE = "unpaired-preference"
    PROMPT_ONLY = "prompt-only"
    STEPWISE = "stepwise"


class Message(TypedDict):
    role: str
    content: str


Record = dict[str, Any]

ROLES = ("system", "user", "assistant", "tool")

COLUMNS: dict[Shape, tuple[str, ...]] = {
    Shape.TEXT: ("text",),
    Shape.PROMPT_COMPLETION: ("prompt", "completion"),
    Shape.CHAT: ("messages",),
    Shape.PREFERENCE: ("prompt", "chosen", "rejected"),
    Shape.UNPAIRED_PREFERENCE: ("prompt", "completion", "label"),
    Shape.PROMPT_ONLY: ("prompt",),
    Shape.STEPWISE: ("prompt", "completions", "labels"),
}
"""Columns that every record of the shape has, in the order in which they are stored."""


def texts_of(record: Record) -> Iterator[str]:
    """All texts of a record, in order."""
    for value in record.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            for item in value:
                if not isinstance(item, bool):
                    yield item["content"] if isinstance(item, dict) else str(item)
