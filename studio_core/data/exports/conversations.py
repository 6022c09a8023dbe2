"""Layouts that write conversations turn by turn: OpenAI, ShareGPT and ms-swift."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from studio_core.data.exports import tools
from studio_core.data.exports.forms import Form, Row, answer, as_conversations, rest_of, single, whole
from studio_core.data.shapes import TOOLS, Message, Record, Shape, own_tools, tools_of

_TEXT = pa.string()

# OpenAI


def _openai_chat(record: Record) -> Row:
    listed = [tools.openai_tool(tool) for tool in tools_of(record)]
    return {"messages": tools.openai_messages(record["messages"]), **({"tools": listed} if listed else {})}


def _with_ids(record: Record) -> Record:
    """The record when it is read back: its calls have ids, its tools the form of the layout."""
    written = {
        name: tools.with_ids(value) if name in ("messages", "prompt") else value
        for name, value in record.items()
    }
    if TOOLS in written:
        written[TOOLS] = tools.as_json([tools.openai_tool(tool) for tool in tools_of(record)])
    return written


def _openai_prompt(record: Record) -> Row:
    return {**_openai_chat({**record, "messages": record["prompt"]}), **rest_of(record, "prompt", TOOLS)}


def _openai_preference(record: Record) -> Row:
    single(record["chosen"])
    single(record["rejected"])
    asked = _openai_chat({**record, "messages": record["prompt"]})
    return {
        # As OpenAI's guide for preference files has it, with the flag that it asks for.
        "input": {
            "messages": asked["messages"],
            "tools": asked.get("tools", []),
            "parallel_tool_calls": True,
        },
        "preferred_output": tools.openai_messages(record["chosen"]),
        "non_preferred_output": tools.openai_messages(record["rejected"]),
    }


def _preference_with_ids(record: Record) -> Record:
    return {**_with_ids(record), **{side: tools.with_ids(record[side]) for side in ("chosen", "rejected")}}


# No Arrow types: these files are JSON, and each message has the keys that it needs.
_MESSAGES_AND_TOOLS = {"messages": None, "tools": None}

_OPENAI_CHAT = Form(
    _openai_chat, _MESSAGES_AND_TOOLS, {"messages": "messages", "tools": "tools"}, Shape.CHAT, _with_ids
)
OPENAI = {
    Shape.CHAT: _OPENAI_CHAT,
    Shape.PROMPT_COMPLETION: as_conversations(_OPENAI_CHAT),
    Shape.PROMPT_ONLY: Form(
        _openai_prompt,
        _MESSAGES_AND_TOOLS,
        {"prompt": "messages", "tools": "tools"},
        Shape.PROMPT_ONLY,
        _with_ids,
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
        _preference_with_ids,
    ),
}

# ShareGPT

_TURNS = pa.list_(pa.struct([("from", _TEXT), ("value", _TEXT)]))
_TURN = pa.struct([("from", _TEXT), ("value", _TEXT)])


def _sharegpt(record: Record, messages: list[Message], **more: Any) -> Row:
    # LLaMA-Factory reads the system prompt from a column of its own.
    opened = messages[0]["role"] == "system"
    return {
        "conversations": tools.sharegpt_turns(messages[1:] if opened else messages),
        **more,
        "system": tools.turn_as_text(messages[0]) if opened else "",
        "tools": record.get(TOOLS, ""),
    }


def _without_ids(record: Record) -> Record:
    return {
        name: tools.without_ids(value) if isinstance(value, list) else value for name, value in record.items()
    }


# One turn and not a list, as LLaMA-Factory reads the two sides.
def _sharegpt_preference(record: Record) -> Row:
    [chosen], [rejected] = (tools.sharegpt_turns([single(record[name])]) for name in ("chosen", "rejected"))
    return _sharegpt(record, record["prompt"], chosen=chosen, rejected=rejected)


def _sharegpt_unpaired(record: Record) -> Row:
    single(record["completion"])
    return _sharegpt(record, whole(record)["messages"], kto_tag=record["label"])


_SHAREGPT_COLUMNS = {"conversations": _TURNS, "system": _TEXT, "tools": _TEXT}
_SHAREGPT_PARTS = {"messages": "conversations", "system": "system", "tools": "tools"}
_SHAREGPT_CHAT = Form(
    lambda r: _sharegpt(r, r["messages"]), _SHAREGPT_COLUMNS, _SHAREGPT_PARTS, Shape.CHAT, _without_ids
)
SHAREGPT = {
    Shape.CHAT: _SHAREGPT_CHAT,
    Shape.PROMPT_COMPLETION: as_conversations(_SHAREGPT_CHAT),
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
        _without_ids,
    ),
    Shape.UNPAIRED_PREFERENCE: Form(
        _sharegpt_unpaired,
        {"conversations": _TURNS, "kto_tag": pa.bool_(), "system": _TEXT, "tools": _TEXT},
        {"messages": "conversations", "label": "kto_tag", "system": "system", "tools": "tools"},
        Shape.UNPAIRED_PREFERENCE,
        _without_ids,
    ),
}

# ms-swift


def _swift(record: Record, messages: list[Message], **more: Any) -> Row:
    return {"messages": tools.swift_messages(messages), **more, **own_tools(record)}


def _swift_preference(record: Record) -> Row:
    single(record["chosen"])
    # The better answer is part of the conversation there, and the other stands beside it.
    return _swift(record, record["prompt"] + record["chosen"], rejected_response=answer(record["rejected"]))


def _swift_unpaired(record: Record) -> Row:
    single(record["completion"])
    return _swift(record, whole(record)["messages"], label=record["label"])


_SWIFT_COLUMNS = {"messages": None, "tools": None}
_SWIFT_PARTS = {"messages": "messages", "tools": "tools"}
_SWIFT_CHAT = Form(lambda r: _swift(r, r["messages"]), _SWIFT_COLUMNS, _SWIFT_PARTS, Shape.CHAT, _without_ids)
SWIFT = {
    Shape.CHAT: _SWIFT_CHAT,
    Shape.PROMPT_COMPLETION: as_conversations(_SWIFT_CHAT),
    Shape.PROMPT_ONLY: Form(
        lambda r: _swift(r, r["prompt"], **rest_of(r, "prompt", TOOLS)),
        _SWIFT_COLUMNS,
        {"prompt": "messages", "tools": "tools"},
        Shape.PROMPT_ONLY,
        _without_ids,
    ),
    Shape.PREFERENCE: Form(
        _swift_preference,
        {**_SWIFT_COLUMNS, "rejected_response": None},
        {"chosen": "messages", "rejected": "rejected_response", "tools": "tools"},
        Shape.PREFERENCE,
        _without_ids,
    ),
    Shape.UNPAIRED_PREFERENCE: Form(
        _swift_unpaired,
        {**_SWIFT_COLUMNS, "label": None},
        {"messages": "messages", "label": "label", "tools": "tools"},
        Shape.UNPAIRED_PREFERENCE,
        _without_ids,
    ),
}
