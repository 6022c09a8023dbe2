"""A row of a file -> the stored record, or the reason why it cannot be one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import takewhile
from typing import Any

from studio_core.data.calls import definitions, known_only
from studio_core.data.columns import MISSING, Row, fill_placeholders, fill_template, label, number, value_in
from studio_core.data.mapping import Mapping
from studio_core.data.notes import Notes
from studio_core.data.shapes import HIGHEST_SCORE, LOWEST_SCORE, TOOLS, Message, Record, Shape
from studio_core.data.turns import Rejected, check_turns, plain_text, turns, with_system

_IMAGE_COLUMNS = ("image", "images")
# With the line break behind it, which stood there for the picture's sake only.
_IMAGE_MARK = re.compile(r"<image>[ \t]*\n?")
# Without pictures beside it a mark in the middle of a sentence may be what somebody wrote about.
_IMAGE_AT_AN_END = re.compile(r"\A(<image>[ \t]*\n)+|(\n<image>[ \t]*)+\Z")


def converter(mapping: Mapping, notes: Notes | None = None) -> Callable[[Row], Record]:
    """A function that turns a row into a record of ``mapping.shape`` or raises ``Rejected``.

    What it leaves out of a record that it keeps is said in ``notes``.
    """
    read = _Reader(mapping, Notes() if notes is None else notes)
    convert = {
        Shape.TEXT: _text,
        Shape.PROMPT_COMPLETION: _prompt_completion,
        Shape.CHAT: _chat,
        Shape.PREFERENCE: _preference,
        Shape.UNPAIRED_PREFERENCE: _unpaired,
        Shape.PROMPT_ONLY: _prompt_only,
        Shape.STEPWISE: _stepwise,
        Shape.SCORED: _scored,
        Shape.RANKING: _ranking,
    }[mapping.shape]

    def record(row: Row) -> Record:
        if not isinstance(row, dict):
            raise Rejected("not_object", kind=type(row).__name__)
        made = {**read.with_tools(row, convert(read, row))}
        for column in mapping.keep:
            # A prompt that was made of other columns has taken its name.
            if column not in made:
                value = value_in(row, column)
                made[column] = _as_column_text(None if value is MISSING else value, column)
        # Asked by name first: this runs for every row.
        if "image" in row or "images" in row:
            for column in read.pictures(row):
                read.notes.add(
                    "images", len(row[column]) if isinstance(row[column], list) else 1, column=column
                )
        return made

    return record


class _Reader:
    """Gets the parts of a record out of a row, as the mapping says."""

    def __init__(self, mapping: Mapping, notes: Notes) -> None:
        self.mapping = mapping
        self.notes = notes
        self.fill = mapping.fill
        self.columns = mapping.columns
        self.templates = mapping.templates
        self.in_text = frozenset(mapping.turns_in_text or ())
        # What the mapping gives a source for; computed once and not for each row.
        self.has = mapping.columns.keys() | mapping.constants.keys() | mapping.templates.keys()

    def name(self, part: str) -> str:
        return self.columns.get(part, part)

    def value(self, row: Row, part: str, *, needed: bool = True) -> Any:
        if self.templates and part in self.templates:
            return fill_template(self.templates[part], row, self.fill)
        column = self.columns.get(part)
        if column is None:
            return self.mapping.constants.get(part)
        value = value_in(row, column)
        if value is MISSING:
            if needed:
                raise Rejected("column_missing", column=column)
            value = None
        # An empty cell takes the constant; "false" is a value.
        return value if value or value is False else self.mapping.constants.get(part, value)

    def text(self, row: Row, part: str, *, needed: bool = True) -> str:
        text = plain_text(self.value(row, part, needed=needed), self.name(part))
        return fill_placeholders(text, self.fill) if self.fill else text

    def turns(self, row: Row, part: str, role: str, *, needed: bool = True) -> list[Message]:
        value = self.value(row, part, needed=needed)
        # A conversation cannot be plain text: where it is a string it is turns in writing.
        in_text = part == "messages" or part in self.in_text
        messages = turns(value, role, self.name(part), self.notes, in_text=in_text)
        for message in messages:
            if "<image>" in message["content"]:
                self._without_marks(message, row)
        if self.fill:
            for message in messages:
                message["content"] = fill_placeholders(message["content"], self.fill)
        return messages

    def _without_marks(self, message: Message, row: Row) -> None:
        """Takes the marks out of a text that stand for pictures in a column of their own."""
        pictures = self.pictures(row)
        mark = _IMAGE_MARK if pictures else _IMAGE_AT_AN_END
        message["content"], images = mark.subn("", message["content"])
        if images and not pictures:  # Their column holds bytes, which the reader has left out.
            self.notes.add("images", images, column="<image>")

    def pictures(self, row: Row) -> list[str]:
        """Columns that hold pictures, and that nothing of the record is made of."""
        used = (*self.columns.values(), *self.mapping.keep)
        return [column for column in _IMAGE_COLUMNS if row.get(column) and column not in used]

    def with_system(self, row: Row, messages: list[Message]) -> list[Message]:
        """The conversation, opened by what the column for system prompts says."""
        if "system" in self.has:
            text = self.text(row, "system", needed=False)
            # One that is meant for all rows gives way to one that the conversation brings.
            brought = bool(messages) and messages[0]["role"] == "system"
            if not (
                brought and text == fill_placeholders(self.mapping.constants.get("system", ""), self.fill)
            ):
                messages = with_system(messages, text)
        return messages

    def with_tools(self, row: Row, record: Record) -> Record:
        """The record with the definitions of the tools that it may call."""
        if "tools" not in self.has:
            return record
        column = self.name("tools")
        tools = plain_text(definitions(self.value(row, "tools", needed=False), column), column)
        if not tools:
            return record
        for messages in record.values():
            for message in messages if isinstance(messages, list) else []:
                if isinstance(message, dict) and "tool_calls" in message:
                    message["tool_calls"] = known_only(message["tool_calls"], tools)
        return {**record, TOOLS: tools}


def _text(read: _Reader, row: Row) -> Record:
    text = read.text(row, "text")
    if not text.strip():
        raise Rejected("empty_text", column=read.name("text"))
    return {"text": text}


def _prompt(read: _Reader, row: Row) -> list[Message]:
    """The prompt with what belongs before it, checked."""
    return _checked_prompt(read.with_system(row, _prompt_turns(read, row)), read.name("prompt"))


def _prompt_turns(read: _Reader, row: Row) -> list[Message]:
    """The prompt with earlier turns and further input."""
    prompt = read.turns(row, "prompt", "user")
    if "input" in read.has and prompt:
        extra = read.text(row, "input", needed=False)
        if extra.strip():
            # Alpaca's "input" is what the instruction is about: it belongs to the same turn.
            prompt[-1]["content"] += f"\n{extra}"
    if "history" in read.has:
        prompt = _history(read, row) + prompt
    return prompt


def _history(read: _Reader, row: Row) -> list[Message]:
    value, column = read.value(row, "history", needed=False), read.name("history")
    # Tables hold lists as JSON in a cell.
    if isinstance(value, str) and value.startswith("["):
        value = _from_json(value)
    if not value:
        return []
    # Pairs of question and answer, as ChatGLM's and Alpaca's files have them.
    if isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        pairs = [(plain_text(asked, column), plain_text(said, column)) for asked, said in value]
        return [
            message
            for asked, said in pairs
            for message in (Message(role="user", content=asked), Message(role="assistant", content=said))
        ]
    return turns(value, "user", column, read.notes)


def _checked_prompt(prompt: list[Message], column: str) -> list[Message]:
    if not any(message["role"] != "system" for message in prompt):
        raise Rejected("empty_prompt", column=column)
    check_turns(prompt, column)
    # Two answers in a row would be made one by a template, and the first one learnt with it.
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
    completion = _checked_answer(read.turns(row, "completion", "assistant"), read.name("completion"))
    # What the conversation itself brings is nearer to the answer than a column beside it.
    if "reasoning" in read.has and "reasoning" not in completion[-1]:
        reasoning = read.text(row, "reasoning", needed=False)
        if reasoning.strip():
            completion[-1]["reasoning"] = reasoning
    return {"prompt": prompt, "completion": completion}


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
    if _is_other_end(chosen, rejected) and "prompt" not in read.has:
        rejected = [*chosen[:-1], *rejected]
    # Before the parts are compared: this sentence says what is wrong, the later ones would not.
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
        prompt, chosen, rejected = _shared_beginning(read, chosen, rejected)
    else:
        prompt = _prompt_turns(read, row)
    return {
        "prompt": _checked_prompt(read.with_system(row, prompt), read.name("prompt")),
        "chosen": _checked_answer(chosen, read.name("chosen")),
        "rejected": _checked_answer(rejected, read.name("rejected")),
    }


def _is_other_end(chosen: list[Message], rejected: list[Message]) -> bool:
    """Whether one is a conversation and the other only another answer to its end."""
    return (
        len(rejected) == 1
        and rejected[0]["role"] == "assistant"
        and len(chosen) > 1
        and chosen[0]["role"] in ("user", "system")
        and chosen[-1]["role"] == "assistant"
    )


def _shared_beginning(
    read: _Reader, chosen: list[Message], rejected: list[Message]
) -> tuple[list[Message], list[Message], list[Message]]:
    """Prompt and answers of two plain texts: the prompt is the words with which both begin."""
    names = {"chosen": read.name("chosen"), "rejected": read.name("rejected")}
    if [len(chosen), len(rejected)] != [1, 1]:
        raise Rejected("no_prompt", chosen=names["chosen"])
    good, bad = chosen[0]["content"], rejected[0]["content"]
    shared = "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(good, bad, strict=False)))
    # At a space, so that a word which both begin with the same letters is not torn.
    end = max((place for place, character in enumerate(shared, start=1) if character.isspace()), default=0)
    if not shared[:end].strip():
        raise Rejected("nothing_shared", **names)
    prompt = [Message(role="user", content=shared[:end].strip())]
    answers = ([Message(role="assistant", content=text[end:].strip())] for text in (good, bad))
    return prompt, *answers  # type: ignore[return-value]


def _unpaired(read: _Reader, row: Row) -> Record:
    rated = _label(read, read.value(row, "label"), read.name("label"))
    if "messages" in read.has:
        messages = _conversation(read, row)
        # The label is of the last answer; what came before is what it answered.
        prompt = _checked_prompt(messages[:-1], read.name("messages"))
        return {"prompt": prompt, "completion": messages[-1:], "label": rated}
    return {**_prompt_completion(read, row), "label": rated}


def _label(read: _Reader, value: Any, column: str) -> bool:
    known = label(value, read.mapping.good_from)
    if known is None:
        raise Rejected("label_not_bool", column=column, value=str(value)[:60])
    return known


def _prompt_only(read: _Reader, row: Row) -> Record:
    return {"prompt": _prompt(read, row)}


def _stepwise(read: _Reader, row: Row) -> Record:
    prompt, labels = _prompt(read, row), _list_in(read, row, "labels")
    steps, names = _texts_in(read, row), {part: read.name(part) for part in ("completions", "labels")}
    if not steps:
        raise Rejected("no_steps", column=names["completions"])
    if len(steps) != len(labels):
        raise Rejected("steps_unlabelled", **names, steps=len(steps), marks=len(labels))
    return {
        "prompt": prompt,
        "completions": steps,
        "labels": [_label(read, value, names["labels"]) for value in labels],
    }


def _scored(read: _Reader, row: Row) -> Record:
    value = read.value(row, "score")
    score = None if isinstance(value, bool) else number(value)
    if score is None or not LOWEST_SCORE <= score <= HIGHEST_SCORE:
        raise Rejected("score_outside", column=read.name("score"), value=str(value)[:60])
    if "messages" in read.has:
        messages = _conversation(read, row)
        prompt = _checked_prompt(messages[:-1], read.name("messages"))
        return {"prompt": prompt, "completion": messages[-1:], "score": score}
    return {**_prompt_completion(read, row), "score": score}


def _ranking(read: _Reader, row: Row) -> Record:
    """Answers with their places: 1, 2 and so on, whatever numbers the file has for them, the lowest the best."""
    prompt, answers, column = _prompt(read, row), _texts_in(read, row), read.name("completions")
    # Without ranks they are listed best first.
    given = _list_in(read, row, "ranks") if "ranks" in read.has else [*range(len(answers))]
    if len(answers) != len(given):
        raise Rejected(
            "answers_unranked",
            completions=column,
            ranks=read.name("ranks"),
            answers=len(answers),
            places=len(given),
        )
    numbers = [number(value) for value in given]
    places = sorted({value for value in numbers if value is not None})
    if None in numbers:
        wrong = str(given[numbers.index(None)])[:60]
        raise Rejected("rank_not_number", column=read.name("ranks"), value=wrong)
    if len(places) < 2:
        raise Rejected("nothing_ranked", column=column)
    ranks = [1 + places.index(value) for value in numbers if value is not None]
    return {"prompt": prompt, "completions": answers, "ranks": ranks}


def _texts_in(read: _Reader, row: Row) -> list[str]:
    """The texts of a list, of which each may be a text or a turn; none is empty."""
    column = read.name("completions")
    said = [turns(item, "assistant", column, read.notes) for item in _list_in(read, row, "completions")]
    texts = ["\n".join(message["content"] for message in messages).strip() for messages in said]
    if "" in texts:
        raise Rejected("empty_answer", column=column, turn=texts.index("") + 1, role="assistant")
    return [fill_placeholders(text, read.fill) for text in texts]


def _list_in(read: _Reader, row: Row, part: str) -> list[Any]:
    """A list, or one that is written as JSON in the cell of a table."""
    value = read.value(row, part)
    if isinstance(value, str) and value.startswith("["):
        value = _from_json(value)
    if not isinstance(value, list):
        raise Rejected("not_list", column=read.name(part), kind=type(value).__name__)
    return value


def _from_json(text: str) -> Any:
    """What is written as JSON in the cell of a table; the text itself if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _as_column_text(value: Any, column: str) -> str | None:
    """A further value as text, so that a column has one type whatever its rows hold."""
    # Parquet has one type for a column; objects and numbers become the
    # JSON that a reward function can read.
    if value is None or isinstance(value, str):
        return None if value is None else plain_text(value, column)
    return plain_text(json.dumps(value, ensure_ascii=False, default=str), column)
