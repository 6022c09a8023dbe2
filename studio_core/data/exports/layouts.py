"""Layouts of records that other programs read, and what each of them cannot hold.

trl        as stored: conversations as lists of messages; holds everything
trl-text   prompts and answers as plain strings
openai     files for OpenAI's fine-tuning: ``messages``, or ``input`` with two outputs
alpaca     ``instruction, input, output, history, system``
sharegpt   ``conversations`` of ``from`` and ``value``, as LLaMA-Factory reads them
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from studio_core.data import parquet
from studio_core.data.exports import tools
from studio_core.data.exports.tools import Unfit
from studio_core.data.shapes import COLUMNS, Message, Record, Shape

Row = dict[str, Any]

FORMATS = ("jsonl", "json", "csv", "parquet")

_TEXT = pa.string()


def _same(record: Record) -> Record:
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
    back: Callable[[Record], Record] = _same
    """The record that it is then."""


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


def _question(prompt: list[Message]) -> str:
    """The text of a prompt that is one question."""
    if prompt[0]["role"] == "system":
        raise Unfit("system")
    if len(prompt) != 1:
        raise Unfit("turns")
    return _asked(prompt[0])


def _asked(message: Message) -> str:
    if message["role"] != "user":
        raise Unfit("tool_turns")
    return message["content"]


def _answer(answer: list[Message]) -> str:
    if len(answer) != 1:
        raise Unfit("answer_turns")
    return answer[0]["content"]


def _halves(record: Record) -> Record:
    """A conversation as its last answer and what came before."""
    return {"prompt": record["messages"][:-1], "completion": record["messages"][-1:]}


def _whole(record: Record) -> Record:
    return {"messages": record["prompt"] + record["completion"]}


def _rest(record: Record, *without: str) -> Row:
    return {name: value for name, value in record.items() if name not in without}


# TRL, as stored and as plain strings


def _stored(shape: Shape) -> Form:
    columns = {name: parquet.schema(shape).field(name).type for name in COLUMNS[shape]}
    return Form(_same, columns, {name: name for name in columns}, shape)


def _strings(record: Record) -> Row:
    row: Row = {}
    for name, value in record.items():
        if name == "prompt":
            row[name] = _question(value)
        elif name in ("completion", "chosen", "rejected") and isinstance(value, list):
            row[name] = _answer(value)
        else:
            row[name] = value
    return row


def _plain(shape: Shape) -> Form:
    stored = _stored(shape)
    texts = ("prompt", "completion", "chosen", "rejected")
    columns = {name: _TEXT if name in texts else kind for name, kind in stored.columns.items()}
    return Form(_strings, columns, stored.parts, shape)


def _plain_chat() -> Form:
    pair = _plain(Shape.PROMPT_COMPLETION)
    return Form(lambda r: _strings(_halves(r)), pair.columns, pair.parts, pair.becomes, _halves)


# OpenAI


def _openai_chat(record: Record) -> Row:
    messages, listed = tools.openai_messages(record["messages"])
    return {"messages": messages, **({"tools": listed} if listed else {})}


def _openai_prompt(record: Record) -> Row:
    return {**_openai_chat({"messages": record["prompt"]}), **_rest(record, "prompt")}


def _openai_preference(record: Record) -> Row:
    messages, listed = tools.openai_messages(record["prompt"])
    _answer(record["chosen"])
    _answer(record["rejected"])
    return {
        "input": {"messages": messages, "tools": listed, "parallel_tool_calls": True},
        "preferred_output": tools.openai_messages(record["chosen"])[0],
        "non_preferred_output": tools.openai_messages(record["rejected"])[0],
    }


_MESSAGES_AND_TOOLS = {"messages": None, "tools": None}

_OPENAI = {
    Shape.CHAT: Form(
        _openai_chat, _MESSAGES_AND_TOOLS, {"messages": "messages", "tools": "tools"}, Shape.CHAT
    ),
    Shape.PROMPT_COMPLETION: Form(
        lambda record: _openai_chat(_whole(record)),
        _MESSAGES_AND_TOOLS,
        {"messages": "messages", "tools": "tools"},
        Shape.CHAT,
        _whole,
    ),
    Shape.PROMPT_ONLY: Form(
        _openai_prompt, _MESSAGES_AND_TOOLS, {"prompt": "messages", "tools": "tools"}, Shape.PROMPT_ONLY
    ),
    Shape.PREFERENCE: Form(
        _openai_preference,
        {"input": None, "preferred_output": None, "non_preferred_output": None},
        {
            "prompt": "input.messages",
            "chosen": "preferred_output",
            "rejected": "non_preferred_output",
            "tools": "input.tools",
        },
        Shape.PREFERENCE,
    ),
}

# Alpaca


def _alpaca(record: Record) -> Row:
    """A pair, with what stood before its question as history."""
    prompt = record["prompt"]
    system = prompt[0]["content"] if prompt[0]["role"] == "system" else ""
    turns = prompt[1:] if system else prompt
    if any(message["role"] == "tool" for message in turns):
        raise Unfit("tool_turns")
    said = [message["content"] for message in turns]
    return {
        "instruction": _asked(turns[-1]),
        "input": "",
        "output": _answer(record["completion"]),
        "history": [list(pair) for pair in zip(said[:-1:2], said[1:-1:2], strict=True)],
        "system": system,
    }


def _alpaca_preference(record: Record) -> Row:
    row = _alpaca({"prompt": record["prompt"], "completion": record["chosen"]})
    answers = {"chosen": row.pop("output"), "rejected": _answer(record["rejected"])}
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
        lambda record: _alpaca(_halves(record)),
        _ALPACA_COLUMNS,
        _ALPACA_PARTS,
        Shape.PROMPT_COMPLETION,
        _halves,
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

# ShareGPT

_TURNS = pa.list_(pa.struct([("from", _TEXT), ("value", _TEXT)]))
_TURN = pa.struct([("from", _TEXT), ("value", _TEXT)])


def _sharegpt(messages: list[Message], **more: Any) -> Row:
    system, listed, rest = tools.opening(messages)
    return {
        "conversations": tools.sharegpt_turns(rest),
        **more,
        "system": system,
        "tools": tools.as_json(listed) if listed else "",
    }


def _sharegpt_preference(record: Record) -> Row:
    _answer(record["chosen"])
    _answer(record["rejected"])
    [chosen], [rejected] = (tools.sharegpt_turns(record[name]) for name in ("chosen", "rejected"))
    return _sharegpt(record["prompt"], chosen=chosen, rejected=rejected)


def _sharegpt_unpaired(record: Record) -> Row:
    _answer(record["completion"])
    return _sharegpt(_whole(record)["messages"], kto_tag=record["label"])


_SHAREGPT_COLUMNS = {"conversations": _TURNS, "system": _TEXT, "tools": _TEXT}
_SHAREGPT_PARTS = {"messages": "conversations", "system": "system", "tools": "tools"}
_SHAREGPT = {
    Shape.CHAT: Form(lambda r: _sharegpt(r["messages"]), _SHAREGPT_COLUMNS, _SHAREGPT_PARTS, Shape.CHAT),
    Shape.PROMPT_COMPLETION: Form(
        lambda record: _sharegpt(_whole(record)["messages"]),
        _SHAREGPT_COLUMNS,
        _SHAREGPT_PARTS,
        Shape.CHAT,
        _whole,
    ),
    Shape.PREFERENCE: Form(
        _sharegpt_preference,
        {"conversations": _TURNS, "chosen": _TURN, "rejected": _TURN, "system": _TEXT, "tools": _TEXT},
        {
            "prompt": "conversations",
            "chosen": "chosen",
            "rejected": "rejected",
            "system": "system",
            "tools": "tools",
        },
        Shape.PREFERENCE,
    ),
    Shape.UNPAIRED_PREFERENCE: Form(
        _sharegpt_unpaired,
        {"conversations": _TURNS, "kto_tag": pa.bool_(), "system": _TEXT, "tools": _TEXT},
        {"messages": "conversations", "label": "kto_tag", "system": "system", "tools": "tools"},
        Shape.UNPAIRED_PREFERENCE,
    ),
}

_LISTED = (
    Layout("trl", FORMATS, {shape: _stored(shape) for shape in Shape}),
    Layout(
        "trl-text",
        FORMATS,
        {shape: _plain(shape) for shape in Shape if shape is not Shape.CHAT} | {Shape.CHAT: _plain_chat()},
    ),
    Layout("openai", ("jsonl", "json"), _OPENAI),
    Layout("alpaca", FORMATS, _ALPACA),
    Layout("sharegpt", ("jsonl", "json", "parquet"), _SHAREGPT),
)

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in _LISTED}


def layouts_for(shape: Shape) -> list[Layout]:
    """Those that have a form for records of this shape."""
    return [layout for layout in LAYOUTS.values() if shape in layout.forms]
