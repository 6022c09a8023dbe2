"""Which column of a file plays which part in a record, found by name and content, and correctable."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from studio_core.data.shapes import Shape

Row = dict[str, Any]

PARTS: dict[Shape, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Shape.TEXT: (("text",), ()),
    Shape.PROMPT_COMPLETION: (("prompt", "completion"), ("input", "system", "history")),
    Shape.CHAT: (("messages",), ("system", "tools")),
    Shape.PREFERENCE: (("chosen", "rejected"), ("prompt", "system", "tools")),
    Shape.UNPAIRED_PREFERENCE: (("label",), ("messages", "prompt", "completion", "system")),
    Shape.PROMPT_ONLY: (("prompt",), ("system",)),
}
"""Parts of a record that a column can play: those without which there is no record, and the others."""

_NAMES: dict[str, tuple[str, ...]] = {
    "messages": ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns"),
    "prompt": ("prompt", "instruction", "question", "query", "problem", "input", "user"),
    "completion": (
        "completion", "response", "output", "solution", "answer", "answers", "target", "assistant", "reply",
    ),
    "chosen": ("chosen", "preferred_output", "preferred", "better", "accepted"),
    "rejected": ("rejected", "non_preferred_output", "dispreferred", "worse", "refused"),
    "label": ("label", "kto_tag", "thumbs_up", "desirable", "is_good"),
    "text": ("text", "content", "document", "story", "passage", "body"),
    "system": ("system", "system_prompt"),
    "history": ("history",),
    "tools": ("tools", "functions"),
}  # fmt: skip
"""Names by which each part goes, the likeliest first."""

_REFERENCES = ("answer", "answers", "solution", "target")
"""Beside a prompt in turns these hold what a reward function compares with, not a turn."""

_PLACEHOLDER = re.compile(r"\{\{\s*([^\W\d]\w{0,39})\s*\}\}")


class Mapping(BaseModel):
    """How the columns of a file become the fields of a record."""

    model_config = ConfigDict(extra="forbid")

    shape: Shape
    columns: dict[str, str] = Field(default_factory=dict)
    """``{part: column}``; parts of each shape are in ``PARTS``."""
    constants: dict[str, str] = Field(default_factory=dict)
    """``{part: text}`` for every row, such as one system prompt."""
    fill: dict[str, str] = Field(default_factory=dict)
    """``{name: value}`` of the placeholders written ``{{name}}``; others stay as they are."""
    keep: list[str] = Field(default_factory=list)
    """Further columns stored with prompt-only records."""

    def missing(self) -> list[str]:
        """Parts that the shape needs and that no column plays."""
        played = self.columns.keys() | self.constants.keys()
        lacking = [part for part in PARTS[self.shape][0] if part not in played]
        if self.shape is Shape.UNPAIRED_PREFERENCE and "messages" not in played:
            lacking += [part for part in ("prompt", "completion") if part not in played]
        return lacking


@dataclass(frozen=True)
class Guess:
    mapping: Mapping
    sure: bool
    because: str
    """Key of the text catalogue that says how it was recognised."""


def guess(columns: Sequence[str], rows: Sequence[Row]) -> Guess:
    """The likeliest mapping; one that lacks parts if the columns say nothing."""
    found = _found(columns)
    has = {part for part, column in found.items() if column}

    def made(shape: Shape, because: str, *parts: str, sure: bool = True, **more: Any) -> Guess:
        names = {part: found[part] for part in parts if found[part]}
        return Guess(Mapping(shape=shape, columns=names, **more), sure, f"data.because_{because}")

    if {"chosen", "rejected"} <= has:
        turns_column = found["prompt"] or found["messages"]
        if found["messages"] and _holds_turns(found["messages"], rows):
            turns_column = found["messages"]
        found["prompt"] = turns_column
        because = "preference" if turns_column else "implicit_preference"
        return made(Shape.PREFERENCE, because, "prompt", "chosen", "rejected", "system", "tools")
    if "label" in has and _holds_labels(found["label"], rows):
        if "messages" in has and _holds_turns(found["messages"], rows):
            return made(Shape.UNPAIRED_PREFERENCE, "unpaired", "messages", "label", "system")
        if {"prompt", "completion"} <= has:
            return made(Shape.UNPAIRED_PREFERENCE, "unpaired", "prompt", "completion", "label", "system")
    if "messages" in has and _holds_turns(found["messages"], rows):
        because = "sharegpt" if _holds_sharegpt(found["messages"], rows) else "messages"
        return made(Shape.CHAT, because, "messages", "system", "tools")
    if "prompt" in has:
        extra = [c for c in columns if c not in (found["prompt"], found["system"])]
        reference = found["completion"] in _REFERENCES and _holds_turns(found["prompt"], rows)
        if "completion" in has and not reference:
            alpaca = found["prompt"] == "instruction"
            return made(
                Shape.PROMPT_COMPLETION, "alpaca" if alpaca else "pair",
                "prompt", "completion", "input", "system", "history", sure=found["input"] is None or alpaca,
            )  # fmt: skip
        if "text" not in has:
            return made(Shape.PROMPT_ONLY, "prompt_only", "prompt", "system", sure=False, keep=extra)
    if "text" in has:
        return made(Shape.TEXT, "text", "text", sure=len(columns) == 1)
    if len(columns) == 1 and all(isinstance(row.get(columns[0]), str) for row in rows):
        found["text"] = columns[0]
        return made(Shape.TEXT, "one_column", "text", sure=False)
    return made(Shape.PROMPT_COMPLETION, "nothing", sure=False)


def for_shape(shape: Shape, columns: Sequence[str], rows: Sequence[Row]) -> Mapping:
    """The likeliest mapping to a shape that the user chose."""
    guessed = guess(columns, rows).mapping
    if guessed.shape is shape:
        return guessed
    found = _found(columns)
    needed, possible = PARTS[shape]
    parts = {part: found[part] for part in (*needed, *possible) if found[part]}
    if shape is Shape.PREFERENCE and "prompt" not in parts and found["messages"]:
        parts["prompt"] = found["messages"]
    if shape is Shape.UNPAIRED_PREFERENCE and "messages" in parts:
        unused = ("prompt", "completion") if _holds_turns(parts["messages"], rows) else ("messages",)
        parts = {part: column for part, column in parts.items() if part not in unused}
    return Mapping(
        shape=shape,
        columns={part: column for part, column in parts.items() if column},
        keep=(
            [column for column in columns if column not in parts.values()]
            if shape is Shape.PROMPT_ONLY
            else []
        ),
    )


def _found(columns: Sequence[str]) -> dict[str, str | None]:
    """The column that is named like each part."""
    found = {part: _column(part, columns) for part in _NAMES}
    found["input"] = _column_named(("input", "context"), columns)
    if found["input"] == found["prompt"]:
        found["input"] = None
    return found


def placeholders(texts: Iterable[str]) -> list[str]:
    """Names written ``{{name}}`` in these texts, in the order of their first appearance."""
    names: dict[str, None] = {}
    for text in texts:
        if "{{" in text:
            names.update(dict.fromkeys(_PLACEHOLDER.findall(text)))
    return list(names)


def filled(text: str, values: MappingType[str, str]) -> str:
    """The text with the placeholders that have a value replaced."""
    if "{{" not in text:
        return text
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def _column(part: str, columns: Sequence[str]) -> str | None:
    return _column_named(_NAMES[part], columns)


def _column_named(names: Sequence[str], columns: Sequence[str]) -> str | None:
    by_name = {column.strip().lower().replace(" ", "_"): column for column in reversed(columns)}
    return next((by_name[name] for name in names if name in by_name), None)


def _values(column: str | None, rows: Sequence[Row]) -> list[Any]:
    return [row[column] for row in rows if column in row and row[column] not in (None, "")]


def _holds_turns(column: str | None, rows: Sequence[Row]) -> bool:
    return any(
        (isinstance(value, list) and bool(value) and isinstance(value[0], dict))
        or (isinstance(value, str) and value.startswith('[{"'))
        for value in _values(column, rows)
    )


def _holds_sharegpt(column: str | None, rows: Sequence[Row]) -> bool:
    return any(isinstance(value, list) and "from" in value[0] for value in _values(column, rows))


def _holds_labels(column: str | None, rows: Sequence[Row]) -> bool:
    values = _values(column, rows)
    good = sum(isinstance(v, bool) or str(v).strip().lower() in ("true", "false", "0", "1") for v in values)
    return good > len(values) / 2
