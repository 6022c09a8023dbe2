"""A row of a file -> the stored record, or the reason why it cannot be one."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import takewhile
from typing import Any

from studio_core.data.mapping import Mapping, Row, filled
from studio_core.data.shapes import Message, Record, Shape
from studio_core.data.turns import Rejected, check_turns, plain_text, tools_prompt, turns, with_system

_LABELS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


def converter(mapping: Mapping) -> Callable[[Row], Record]:
    """A function that turns a row into a record of ``mapping.shape`` or raises ``Rejected``."""
    read = _Reader(mapping)
    convert = {
        Shape.TEXT: _text,
        Shape.PROMPT_COMPLETION: _prompt_completion,
        Shape.CHAT: _chat,
        Shape.PREFERENCE: _preference,
        Shape.UNPAIRED_PREFERENCE: _unpaired,
        Shape.PROMPT_ONLY: _prompt_only,
    }[mapping.shape]

    def record(row: Row) -> Record:
        if not isinstance(row, dict):
            raise Rejected("not_object", kind=type(row).__name__)
        return convert(read, row)

    return record


class _Reader:
    """Gets the parts of a record out of a row, as the mapping says."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.fill = mapping.fill
        self.columns = mapping.columns
        self.has = mapping.columns.keys() | mapping.constants.keys()

    def name(self, part: str) -> str:
        return self.columns.get(part, part)

    def value(self, row: Row, part: str, *, needed: bool = True) -> Any:
        column = self.columns.get(part)
        if column is None:
            return self.mapping.constants.get(part)
        if column not in row and needed:
            raise Rejected("column_missing", column=column)
        value = row.get(column)
        return value if value or value is False else self.mapping.constants.get(part, value)

    def text(self, row: Row, part: str, *, needed: bool = True) -> str:
        text = plain_text(self.value(row, part, needed=needed), self.name(part))
        return filled(text, self.fill) if self.fill else text

    def turns(self, row: Row, part: str, role: str, *, needed: bool = True) -> list[Message]:
        messages = turns(self.value(row, part, needed=needed), role, self.name(part))
        if self.fill:
            for message in messages:
                message["content"] = filled(message["content"], self.fill)
        return messages

    def with_system(self, row: Row, messages: list[Message]) -> list[Message]:
        """The conversation, opened by what the columns for system prompt and tools say."""
        if "system" in self.has:
            text = self.text(row, "system", needed=False)
            # One that is meant for all rows gives way to one that the conversation brings.
            brought = bool(messages) and messages[0]["role"] == "system"
            if not (brought and text == filled(self.mapping.constants.get("system", ""), self.fill)):
                messages = with_system(messages, text)
        if "tools" in self.has:
            tools = tools_prompt(self.value(row, "tools", needed=False), self.name("tools"))
            messages = with_system(messages, tools)
        return messages


def _text(read: _Reader, row: Row) -> Record:
    text = read.text(row, "text")
    if not text.strip():
        raise Rejected("empty_text", column=read.name("text"))
    return {"text": text}


def _prompt(read: _Reader, row: Row) -> list[Message]:
    """The prompt with what belongs before it: system prompt, earlier turns, further input."""
    prompt = read.turns(row, "prompt", "user")
    if "input" in read.has and prompt:
        extra = read.text(row, "input", needed=False)
        if extra.strip():
            prompt[-1]["content"] += f"\n{extra}"
    if "history" in read.has:
        prompt = _history(read.value(row, "history", needed=False), read.name("history")) + prompt
    return _checked_prompt(read.with_system(row, prompt), read.name("prompt"))


def _history(value: Any, column: str) -> list[Message]:
    if not value:
        return []
    if isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        pairs = [(plain_text(asked, column), plain_text(said, column)) for asked, said in value]
        return [
            message
            for asked, said in pairs
            for message in (Message(role="user", content=asked), Message(role="assistant", content=said))
        ]
    return turns(value, "user", column)


def _checked_prompt(prompt: list[Message], column: str) -> list[Message]:
    if not any(message["role"] != "system" for message in prompt):
        raise Rejected("empty_prompt", column=column)
    check_turns(prompt, column)
    if prompt[-1]["role"] == "assistant":
        raise Rejected("prompt_is_answered", column=column)
    return prompt


def _checked_answer(answer: list[Message], column: str) -> list[Message]:
    if not answer:
        raise Rejected("empty_answer", column=column, turn=1, role="assistant")
    check_turns(answer, column, first="assistant")
    if answer[-1]["role"] != "assistant":
        raise Rejected("unanswered", column=column, role=answer[-1]["role"])
    return answer


def _prompt_completion(read: _Reader, row: Row) -> Record:
    prompt = _prompt(read, row)
    completion = read.turns(row, "completion", "assistant")
    return {"prompt": prompt, "completion": _checked_answer(completion, read.name("completion"))}


def _conversation(read: _Reader, row: Row) -> list[Message]:
    messages = read.turns(row, "messages", "user")
    if not messages:
        raise Rejected("no_turns", column=read.name("messages"))
    messages = read.with_system(row, messages)
    check_turns(messages, read.name("messages"))
    if not any(message["role"] == "assistant" for message in messages):
        raise Rejected("no_assistant", column=read.name("messages"))
    if messages[-1]["role"] != "assistant":
        raise Rejected("unanswered", column=read.name("messages"), role=messages[-1]["role"])
    return messages


def _chat(read: _Reader, row: Row) -> Record:
    return {"messages": _conversation(read, row)}


def _preference(read: _Reader, row: Row) -> Record:
    chosen = read.turns(row, "chosen", "assistant")
    rejected = read.turns(row, "rejected", "assistant")
    if chosen and chosen == rejected:
        raise Rejected("chosen_is_rejected", chosen=read.name("chosen"), rejected=read.name("rejected"))
    whole = bool(chosen and rejected) and all(m[0]["role"] in ("user", "system") for m in (chosen, rejected))
    if whole:
        # Both are whole conversations: what they share is the prompt, even if a column repeats it.
        shared = [
            a for a, b in takewhile(lambda pair: pair[0] == pair[1], zip(chosen, rejected, strict=False))
        ]
        if not shared:
            raise Rejected("nothing_shared", chosen=read.name("chosen"), rejected=read.name("rejected"))
        prompt, chosen, rejected = shared, chosen[len(shared) :], rejected[len(shared) :]
    elif "prompt" not in read.has:
        raise Rejected("no_prompt", chosen=read.name("chosen"))
    else:
        prompt = read.turns(row, "prompt", "user")
    return {
        "prompt": _checked_prompt(read.with_system(row, prompt), read.name("prompt")),
        "chosen": _checked_answer(chosen, read.name("chosen")),
        "rejected": _checked_answer(rejected, read.name("rejected")),
    }


def _unpaired(read: _Reader, row: Row) -> Record:
    label = read.value(row, "label")
    if not isinstance(label, bool):
        known = _LABELS.get(str(label).strip().lower())
        if known is None:
            raise Rejected("label_not_bool", column=read.name("label"), value=str(label)[:60])
        label = known
    if "messages" in read.has:
        messages = _conversation(read, row)
        prompt = _checked_prompt(messages[:-1], read.name("messages"))
        return {"prompt": prompt, "completion": messages[-1:], "label": label}
    return {**_prompt_completion(read, row), "label": label}


def _prompt_only(read: _Reader, row: Row) -> Record:
    record: Record = {"prompt": _prompt(read, row)}
    for column in read.mapping.keep:
        record[column] = _kept(row.get(column), column)
    return record


def _kept(value: Any, column: str) -> str | None:
    """A further value as text, so that a column has one type whatever its rows hold."""
    if value is None or isinstance(value, str):
        return None if value is None else plain_text(value, column)
    return plain_text(json.dumps(value, ensure_ascii=False, default=str), column)
