"""Layouts of records that other programs read, and what each of them cannot hold.

trl        conversations as lists of messages, as chat templates take them; holds everything
trl-text   prompts and answers as plain strings
openai     files for OpenAI's fine-tuning: ``messages``, or ``input`` with two outputs
alpaca     ``instruction, input, output, history, system``
sharegpt   ``conversations`` of ``from`` and ``value``, as LLaMA-Factory reads them
ms-swift   ``messages`` with ``tool_call`` and ``tool_response``, ``rejected_response`` and ``loss``
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from studio_core.data import parquet
from studio_core.data.exports import tools
from studio_core.data.exports.conversations import OPENAI, SHAREGPT, SWIFT
from studio_core.data.exports.forms import Form, Layout, Row, answer, halves, question, user_text
from studio_core.data.exports.tools import Unfit
from studio_core.data.mapping import PARTS
from studio_core.data.shapes import COLUMNS, TOOLS, Record, Shape, own_tools, tools_of

__all__ = ["FORMATS", "LAYOUTS", "Form", "Layout", "Row", "as_templates_take_it", "layouts_for"]

FORMATS = ("jsonl", "json", "csv", "parquet")

_TEXT = pa.string()

# TRL, as stored and as plain strings


def _trl_form(shape: Shape) -> Form:
    columns = {name: parquet.schema(shape).field(name).type for name in COLUMNS[shape]}
    parts = {name: name for name in columns}
    return Form(_trl, columns, {**parts, TOOLS: TOOLS} if TOOLS in PARTS[shape][1] else parts, shape)


def _trl(record: Record) -> Row:
    row = {
        name: tools.trl_messages(value) if isinstance(value, list) and isinstance(value[0], dict) else value
        for name, value in record.items()
    }
    return {**row, TOOLS: tools_of(record)} if TOOLS in record else row


_CALLS = pa.list_(
    pa.struct(
        [
            ("id", _TEXT),
            ("type", _TEXT),
            ("function", pa.struct([("name", _TEXT), ("arguments", _TEXT)])),
        ]
    )
)
_KEYS = {
    "reasoning": ("reasoning_content", _TEXT),
    "tool_calls": ("tool_calls", _CALLS),
    "name": ("name", _TEXT),
    "tool_call_id": ("tool_call_id", _TEXT),
    "train": ("train", pa.bool_()),
}


def as_templates_take_it(shape: Shape, optional: Sequence[str]) -> dict[str, Any]:
    """Columns of the layout trl with their types, where messages have these optional keys."""
    keys = [("role", _TEXT), ("content", _TEXT), *(_KEYS[key] for key in optional if key != TOOLS)]
    messages = pa.list_(pa.struct(keys))
    plain = parquet.schema(shape)
    types = {n: plain.field(n).type for n in COLUMNS[shape]}
    columns = {n: messages if _holds_messages(type) else type for n, type in types.items()}
    return {**columns, **({TOOLS: _TEXT} if TOOLS in optional else {})}


def _holds_messages(type: pa.DataType) -> bool:
    return bool(pa.types.is_list(type) and pa.types.is_struct(type.value_type))


def _strings(record: Record) -> Row:
    row: Row = {}
    for name, value in tools.without_tools(record).items():
        if name == "prompt":
            row[name] = question(value)
        elif name in ("completion", "chosen", "rejected") and isinstance(value, list):
            row[name] = answer(value)
        else:
            row[name] = value
    return row


def _plain(shape: Shape) -> Form:
    stored = _trl_form(shape)
    texts = ("prompt", "completion", "chosen", "rejected")
    columns = {name: _TEXT if name in texts else kind for name, kind in stored.columns.items()}
    parts = {part: column for part, column in stored.parts.items() if part != TOOLS}
    return Form(_strings, columns, parts, shape)


def _plain_chat() -> Form:
    pair = _plain(Shape.PROMPT_COMPLETION)
    return Form(lambda r: _strings(halves(r)), pair.columns, pair.parts, pair.becomes, halves)


# Alpaca


def _alpaca(record: Record) -> Row:
    """A pair, with what stood before its question as history."""
    prompt = tools.without_tools(record)["prompt"]
    system = prompt[0]["content"] if prompt[0]["role"] == "system" else ""
    # An empty system prompt is none.
    turns = prompt[1:] if system else prompt
    if any(message["role"] == "tool" for message in turns):
        raise Unfit("tool_turns")
    said = [tools.turn_as_text(message) for message in turns]
    return {
        "instruction": user_text(turns[-1]),
        "input": "",
        "output": answer(record["completion"]),
        # Strict: who asks twice in a row fits into no pairs, and is told so before (roles alternate).
        "history": [list(pair) for pair in zip(said[:-1:2], said[1:-1:2], strict=True)],
        "system": system,
    }


def _alpaca_preference(record: Record) -> Row:
    row = _alpaca({"prompt": record["prompt"], "completion": record["chosen"], **own_tools(record)})
    answers = {"chosen": row.pop("output"), "rejected": answer(record["rejected"])}
    return {"instruction": row.pop("instruction"), "input": row.pop("input"), **answers, **row}


def _alpaca_unpaired(record: Record) -> Row:
    return {**_alpaca(record), "kto_tag": record["label"]}


_ALPACA_COLUMNS = {
    "instruction": _TEXT,
    "input": _TEXT,
    "output": _TEXT,
    "history": pa.list_(pa.list_(_TEXT)),
    "system": _TEXT,
}
_ALPACA_PROMPT = {"prompt": "instruction", "input": "input", "system": "system", "history": "history"}
_ALPACA_PARTS = {**_ALPACA_PROMPT, "completion": "output"}
_ALPACA = {
    Shape.PROMPT_COMPLETION: Form(_alpaca, _ALPACA_COLUMNS, _ALPACA_PARTS, Shape.PROMPT_COMPLETION),
    Shape.CHAT: Form(
        lambda record: _alpaca(halves(record)),
        _ALPACA_COLUMNS,
        _ALPACA_PARTS,
        Shape.PROMPT_COMPLETION,
        halves,
    ),
    Shape.PREFERENCE: Form(
        _alpaca_preference,
        {
            **dict.fromkeys(("instruction", "input", "chosen", "rejected"), _TEXT),
            "history": _ALPACA_COLUMNS["history"],
            "system": _TEXT,
        },
        {**{name: name for name in ("chosen", "rejected")}, **_ALPACA_PROMPT},
        Shape.PREFERENCE,
    ),
    Shape.UNPAIRED_PREFERENCE: Form(
        _alpaca_unpaired,
        {**_ALPACA_COLUMNS, "kto_tag": pa.bool_()},
        {**_ALPACA_PARTS, "label": "kto_tag"},
        Shape.UNPAIRED_PREFERENCE,
    ),
}

# In the order of the page: what holds everything comes first. CSV only where a row is a few texts.
_LISTED = (
    Layout("trl", FORMATS, {shape: _trl_form(shape) for shape in Shape}),
    Layout(
        "trl-text",
        FORMATS,
        {shape: _plain(shape) for shape in Shape if shape is not Shape.CHAT} | {Shape.CHAT: _plain_chat()},
    ),
    Layout("openai", ("jsonl", "json"), OPENAI),
    Layout("alpaca", FORMATS, _ALPACA),
    Layout("sharegpt", ("jsonl", "json", "parquet"), SHAREGPT),
    Layout("ms-swift", ("jsonl", "json"), SWIFT),
)

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in _LISTED}


def layouts_for(shape: Shape) -> list[Layout]:
    """Those that have a form for records of this shape."""
    return [layout for layout in LAYOUTS.values() if shape in layout.forms]
