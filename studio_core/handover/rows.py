"""Rows as other trainers read them, beyond the layouts in which data is exported anyway.

A chat is learnt in all its answers, a prompt with a completion in the completion alone. Where a trainer knows one kind
of conversation only, the answers within a prompt are marked as not learnt; a form that cannot mark them refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from studio_core.data.exports import tools
from studio_core.data.exports.forms import Form, Row, single
from studio_core.data.exports.layouts import LAYOUTS
from studio_core.data.exports.tools import Unfit
from studio_core.data.shapes import TOOLS, Message, Record, Shape, own_tools, tools_of
from studio_core.handover import rewards
from studio_core.methods.rollouts import SHAPES

_TEXT = pa.string()
_PLAIN = pa.list_(pa.struct([("role", _TEXT), ("content", _TEXT)]))

SHAREGPT = LAYOUTS["sharegpt"].forms
SWIFT = LAYOUTS["ms-swift"].forms


def learnt_last(record: Record) -> Record:
    """A prompt and its completion as one conversation of which only the completion is learnt."""
    before: list[Message] = []
    for message in record["prompt"]:
        marked: Message = message.copy()
        if message["role"] == "assistant":
            marked["train"] = False
        before.append(marked)
    return {"messages": before + record["completion"], **own_tools(record)}


def plain(messages: list[Message]) -> list[dict[str, str]]:
    """Turns of role and content, thoughts within; raises ``Unfit`` for calls of tools and turns not learnt."""
    return [{"role": message["role"], "content": tools.turn_as_text(message)} for message in messages]


def form(shape: Shape, row: Callable[[Record], Row], **columns: Any) -> Form:
    return Form(row, columns, {}, shape)


def conversations(row: Callable[[Record], Row], **columns: Any) -> dict[Shape, Form]:
    """Forms of chats, and of prompts with completions as conversations whose last answer alone is learnt."""
    return {
        Shape.CHAT: form(Shape.CHAT, row, **columns),
        Shape.PROMPT_COMPLETION: form(
            Shape.PROMPT_COMPLETION, lambda record: row(learnt_last(record)), **columns
        ),
    }


def _full(record: Record) -> Row:
    row: Row = {"messages": tools.trl_messages(record["messages"])}
    return {**row, "tools": tools_of(record)} if TOOLS in record else row


def _plain_chat(record: Record) -> Row:
    return {"messages": plain(tools.without_tools(record)["messages"])}


FULL = conversations(_full, messages=None, tools=None)
"""``messages`` with ``reasoning_content``, ``tool_calls`` and ``train``, and ``tools``."""
PLAIN = conversations(_plain_chat, messages=_PLAIN)
"""``messages`` of role and content."""
TEXTS = {Shape.TEXT: form(Shape.TEXT, lambda record: {"text": record["text"]}, text=_TEXT)}


def _pair(record: Record) -> Row:
    tools.without_tools(record)
    prompt = plain(record["prompt"])
    return {
        "prompt": prompt,
        **{side: plain([single(record[side])]) for side in ("chosen", "rejected")},
    }


PAIRS = {Shape.PREFERENCE: form(Shape.PREFERENCE, _pair, prompt=_PLAIN, chosen=_PLAIN, rejected=_PLAIN)}
"""``prompt``, ``chosen`` and ``rejected``, each a list of turns."""


def _pair_ranked(record: Record) -> Row:
    row = _pair(record)
    ranked = [{"rank": rank, "completion": row[side]} for rank, side in enumerate(("chosen", "rejected"))]
    return {"context": row["prompt"], "completions": ranked}


PAIRS_RANKED = {Shape.PREFERENCE: form(Shape.PREFERENCE, _pair_ranked, context=None, completions=None)}
"""``context``, and ``completions``, each with its rank: that of the better one is lower."""


def _pair_beside(record: Record) -> Row:
    row = _pair(record)
    return {"messages": row["prompt"], "chosen": row["chosen"][0], "rejected": row["rejected"][0]}


PAIRS_BESIDE = {
    Shape.PREFERENCE: form(Shape.PREFERENCE, _pair_beside, messages=None, chosen=None, rejected=None)
}
"""``messages`` of the prompt, and one turn for each answer."""


def _pair_whole(record: Record) -> Row:
    row = _pair(record)
    opened = row["prompt"][0]["role"] == "system"
    turns = row["prompt"][1:] if opened else row["prompt"]
    # It takes them in turns, by their place and not by their role.
    if any(turn["role"] != ("user", "assistant")[place % 2] for place, turn in enumerate(turns)):
        raise Unfit("turns")
    return {
        "system": row["prompt"][0]["content"] if opened else "",
        "chosen": turns + row["chosen"],
        "rejected": turns + row["rejected"],
    }


PAIRS_WHOLE = {Shape.PREFERENCE: form(Shape.PREFERENCE, _pair_whole, system=None, chosen=None, rejected=None)}
"""Whole conversations ``chosen`` and ``rejected``, the system prompt in a column of its own."""


def _pair_of_texts(record: Record) -> Row:
    row = _pair_whole(record)
    if len(row["chosen"]) != 2:
        raise Unfit("turns")
    return {
        "system": row["system"],
        "input": row["chosen"][0]["content"],
        "chosen": row["chosen"][1]["content"],
        "rejected": row["rejected"][1]["content"],
    }


def asked(row: Callable[[Record], Row], **columns: Any) -> dict[Shape, Form]:
    """Forms of prompts that are answered in training, whatever answer stands in the record."""
    return {shape: form(shape, row, **columns) for shape in SHAPES}


def _prompt(record: Record) -> Row:
    return {"messages": plain(rewards.asked(record)["prompt"]), rewards.RECORD: rewards.as_json(record)}


PROMPTS = asked(_prompt)
"""``messages`` of the prompt, and ``record``, the record as JSON."""

PAIRS_OF_TEXTS = {
    Shape.PREFERENCE: form(
        Shape.PREFERENCE, _pair_of_texts, system=None, input=None, chosen=None, rejected=None
    )
}
"""``system``, ``input``, ``chosen`` and ``rejected`` as texts: prompts of one question only."""
