"""The likeliest mapping of a file's columns: by their names, and by what the first rows hold."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from studio_core.data.calls import definitions
from studio_core.data.columns import MISSING, Row, label, number, value_in
from studio_core.data.mapping import GRADES, JUDGED, MARGINS, PARTS, TURN_PARTS, Mapping
from studio_core.data.shapes import HIGHEST_SCORE, LOWEST_SCORE, TOOLS, Shape
from studio_core.data.turns import TURNS_IN_TEXT, Rejected, are_turns_in_text

# From public datasets and from what other programs write. A name may
# stand for several parts; the shape decides.
_NAMES: dict[str, tuple[str, ...]] = {
    "completions": (
        "completions", "steps", "reasoning_steps", "responses", "candidates", "generations", "answers",
    ),
    "ranks": ("ranks", "ranking", "rankings", "rank"),
    "labels": ("labels", "step_labels", "completion_labels"),
    "messages": ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns"),
    "prompt": ("prompt", "instruction", "question", "query", "problem", "input", "user"),
    "completion": (
        "corrected_response", "correction",
        "completion", "response", "output", "solution", "answer", "answers", "target", "assistant", "reply",
    ),
    "chosen": ("chosen", "preferred_output", "preferred", "better", "accepted"),
    "rejected": (
        "rejected", "non_preferred_output", "dispreferred", "worse", "refused",
        "rejected_response", "rejected_messages",
    ),
    "label": ("label", "kto_tag", "thumbs_up", "desirable", "is_good"),
    "score": ("score", "rating", "grade", "stars"),
    "text": ("text", "content", "document", "story", "passage", "body"),
    "system": ("system", "system_prompt"),
    "history": ("history",),
    "tools": ("tools", "functions"),
    "reasoning": ("reasoning_content", "reasoning", "thinking"),
}  # fmt: skip
"""Names by which each part goes, the likeliest first."""

_OTHER_ENDS = ("rejected_response", "rejected_messages")
"""As ms-swift has it, beside a conversation that ends in the chosen answer."""

_ASKS = (
    "customer", "client", "user", "human", "question", "query", "prompt", "instruction", "ask", "asked", "input",
    "patient", "student", "problem", "request", "问题", "提问", "用户", "客户", "指令", "提示词", "顾客",
)  # fmt: skip
_ANSWERS = (
    "agent", "assistant", "bot", "reply", "replied", "answer", "response", "completion", "output", "support",
    "doctor", "teacher", "solution", "model", "ai", "回答", "答案", "回复", "客服", "助手",
)  # fmt: skip
"""Words in the names of columns that say who speaks there, if nothing else does."""

_RATINGS = ("rating", "score", "stars", "grade")
"""Numbers that say how good an answer is; they are taken for labels only where labels are wanted."""

_CLASSES = ("yes", "no", "y", "n", "positive", "negative", "correct", "incorrect", "right", "wrong", "+", "-")
"""Labels that are as likely the answer to a question as a judgement on one."""

_REFERENCES = ("answer", "answers", "solution", "target")
"""Beside a prompt in turns these hold what a reward function compares with, not a turn."""


@dataclass(frozen=True)
class Guess:
    mapping: Mapping
    sure: bool
    because: str
    """Key of the text catalogue that says how it was recognised."""


def guess(columns: Sequence[str], rows: Sequence[Row], labels: Sequence[str] = ()) -> Guess:
    """The likeliest mapping; one that lacks parts if the columns say nothing.

    ``labels`` are columns of which it is known that people judged answers in them.
    """
    # A column whose name cannot be written is not among those that can be chosen.
    labels = [name for name in labels if name in columns]
    guessed = _guess(columns, rows, _columns_by_part(columns), labels)
    # Only when the outer columns say nothing: a path is the less likely place.
    if guessed.mapping.missing() and any("." in column for column in columns):
        inner = _guess(columns, rows, _columns_by_part(columns, inner=True), labels)
        guessed = guessed if inner.mapping.missing() else inner
    return replace(guessed, mapping=with_turns_in_text(guessed.mapping, rows))


def with_turns_in_text(mapping: Mapping, rows: Sequence[Row]) -> Mapping:
    """The mapping that says in which parts turns are written as text: by itself, where all first rows do so."""
    if mapping.turns_in_text is not None:
        return mapping
    parts = [part for part in TURN_PARTS if in_text(mapping.columns.get(part), rows)]
    return mapping.model_copy(update={"turns_in_text": parts})


def in_text(column: str | None, rows: Sequence[Row]) -> bool:
    """Whether all that the column holds is conversations that are written as text."""
    texts = _values(column, rows)
    return bool(texts) and all(isinstance(text, str) and are_turns_in_text(text) for text in texts)


def _guess(
    columns: Sequence[str], rows: Sequence[Row], found: dict[str, str | None], labels: Sequence[str]
) -> Guess:
    has = {part for part, column in found.items() if column}

    def made(shape: Shape, because: str, *parts: str, sure: bool = True, **more: Any) -> Guess:
        names = {part: column for part in parts if (column := found[part])}
        return Guess(Mapping(shape=shape, columns=names, **more), sure, f"data.because_{because}")

    # From what only one layout has to what many have: the first that fits is the likeliest.
    if found["rejected"] in _OTHER_ENDS and "chosen" not in has and _holds_turns(found["messages"], rows):
        found["chosen"] = found["messages"]
        return made(Shape.PREFERENCE, "other_end", "chosen", "rejected", "system", "tools")
    if {"chosen", "rejected"} <= has:
        turns_column = found["prompt"] or found["messages"]
        if found["messages"] and _holds_turns(found["messages"], rows):
            turns_column = found["messages"]
        found["prompt"] = turns_column
        because = "preference" if turns_column else "implicit_preference"
        parts: tuple[str, ...] = ("prompt", "chosen", "rejected", "input", "system", "history", "tools")
        return made(Shape.PREFERENCE, because, *parts, keep=_how_much_better(columns))
    if {"prompt", "completions", "ranks"} <= has and _holds_lists(found["completions"], rows):
        return made(Shape.RANKING, "ranking", "prompt", "completions", "ranks", "system")
    if {"prompt", "completions", "labels"} <= has and _holds_lists(found["completions"], rows):
        return made(Shape.STEPWISE, "stepwise", "prompt", "completions", "labels", "system")
    # Before chats and pairs, of which these are a kind with one column more.
    judged = _label_column(found, rows, labels)
    if judged is not None:
        judgement, good_from = judged
        found["label"] = judgement
        turns_in = "messages" in has and _holds_turns(found["messages"], rows)
        if turns_in or {"prompt", "completion"} <= has:
            asked = ("messages",) if turns_in else ("prompt", "completion", "input", "history", "reasoning")
            parts = (*asked, "label", "system", "tools")
            return made(Shape.UNPAIRED_PREFERENCE, "unpaired", *parts, good_from=good_from)
    if {"prompt", "completion", "score"} <= has and _holds_scores(found["score"], rows):
        beside = ("input", "system", "history", "reasoning", "tools")
        # Never sure: the score may be one of something else, and the answers be there to be learnt.
        return made(Shape.SCORED, "scored", "prompt", "completion", "score", *beside, sure=False)
    if "messages" in has and _holds_turns(found["messages"], rows):
        because = "sharegpt" if _holds_sharegpt(found["messages"], rows) else "messages"
        return made(Shape.CHAT, because, "messages", "system", "tools")
    if "prompt" in has:
        reference = found["completion"] in _REFERENCES and _holds_turns(found["prompt"], rows)
        if "completion" in has and not reference:
            alpaca = found["prompt"] == "instruction"
            return made(
                Shape.PROMPT_COMPLETION, "alpaca" if alpaca else "pair",
                "prompt", "completion", "input", "system", "history", "reasoning", "tools",
                # A column "input" is Alpaca's only beside "instruction"; elsewhere it
                # may be the question itself.
                sure=found["input"] is None or alpaca,
            )  # fmt: skip
        if "text" not in has:
            if not _holds_definitions(found["tools"], rows):
                found["tools"] = None
            extra = _others(columns, {found["prompt"], found["system"], found["tools"], TOOLS})
            # Never sure: the answers may stand in a column with a name that nobody knows.
            return made(Shape.PROMPT_ONLY, "prompt_only", "prompt", "system", "tools", sure=False, keep=extra)
    if "text" in has:
        return made(Shape.TEXT, "text", "text", sure=len(columns) == 1)
    if len(columns) == 1 and all(isinstance(row.get(columns[0]), str) for row in rows):
        found["text"] = columns[0]
        return made(Shape.TEXT, "one_column", "text", sure=False)
    speakers = {"prompt": _spoken_by(_ASKS, columns, rows), "completion": _spoken_by(_ANSWERS, columns, rows)}
    if all(speakers.values()) and len({*speakers.values()}) == 2:
        found.update(speakers)
        return made(Shape.PROMPT_COMPLETION, "speakers", "prompt", "completion", "system", sure=False)
    return made(Shape.PROMPT_COMPLETION, "nothing", sure=False)


def _how_much_better(columns: Sequence[str]) -> list[str]:
    """Columns beside a pair that say how much better its chosen answer is."""
    margin = _column_named(MARGINS, columns)
    grades = next((pair for pair in GRADES if {*pair} <= {*columns}), ())
    return [margin] if margin else [*grades]


def _spoken_by(words: Sequence[str], columns: Sequence[str], rows: Sequence[Row]) -> str | None:
    """The one column of texts whose name has one of these words; None if there are several."""
    named = [column for column in columns if _has_word(column, words)]
    texts = [column for column in named if any(isinstance(value, str) for value in _values(column, rows))]
    return texts[0] if len(texts) == 1 else None


def _has_word(name: str, words: Sequence[str]) -> bool:
    """In Chinese a word is any part of the name."""
    own = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    return any(word in map(str.lower, own) if word.isascii() else word in name for word in words)


def _label_column(
    found: dict[str, str | None], rows: Sequence[Row], labels: Sequence[str]
) -> tuple[str, float | None] | None:
    """The column of labels or ratings, and from which rating on an answer is good."""
    for column in labels:
        # Ratings first: 1 is a rating and a label, too.
        good_from = rated_good(column, rows)
        if good_from is not None:
            return column, good_from
    for named in labels:
        if _holds_labels(named, rows):
            return named, None
    # Of "yes" or "positive" it is not known whether they say that an answer is good, or are one themselves.
    if found["label"] and _holds_labels(found["label"], rows, plain=True):
        return found["label"], None
    return None


def _others(columns: Sequence[str], used: set[str | None]) -> list[str]:
    """Columns that play no part, without those inside of another."""
    whole = set(columns)
    return [
        column
        for column in columns
        if column not in used and not ("." in column and column.rpartition(".")[0] in whole)
    ]


def for_shape(shape: Shape, columns: Sequence[str], rows: Sequence[Row]) -> Mapping:
    """The likeliest mapping to a shape that the user chose."""
    guessed = guess(columns, rows).mapping
    if guessed.shape is shape:
        return guessed
    found = _columns_by_part(columns)
    needed, possible = PARTS[shape]
    parts = {part: found[part] for part in (*needed, *possible) if found[part]}
    if shape is Shape.PREFERENCE and "prompt" not in parts and found["messages"]:
        parts["prompt"] = found["messages"]
    good_from, keep = None, list[str]()
    if shape is Shape.PROMPT_ONLY:
        keep = _others(columns, {*parts.values(), TOOLS})
    elif shape is Shape.PREFERENCE:
        keep = _how_much_better(columns)
    if shape is Shape.UNPAIRED_PREFERENCE:
        parts["label"] = parts.get("label") or _column_named(_RATINGS, columns)
        good_from = rated_good(parts["label"], rows)
    if shape in JUDGED and "messages" in parts:
        unused = ("prompt", "completion") if _holds_turns(parts["messages"], rows) else ("messages",)
        parts = {part: column for part, column in parts.items() if part not in unused}
    mapping = Mapping(
        shape=shape,
        columns={part: column for part, column in parts.items() if column},
        keep=keep,
        good_from=good_from,
    )
    return with_turns_in_text(mapping, rows)


def _columns_by_part(columns: Sequence[str], *, inner: bool = False) -> dict[str, str | None]:
    """The column that is named like each part; with ``inner`` also by the end of a path, ``data.prompt``."""
    if inner:
        ends = {column.rpartition(".")[2]: column for column in reversed(columns)}
        found = _columns_by_part(list(ends))
        return {part: None if end is None else ends[end] for part, end in found.items()}
    found = {part: _column_named(names, columns) for part, names in _NAMES.items()}
    if "input.messages" in columns:
        # OpenAI's preference files have the conversation and its tools inside of the input.
        found["prompt"] = "input.messages"
        found["tools"] = "input.tools" if "input.tools" in columns else found["tools"]
    found["input"] = _column_named(("input", "context"), columns)
    if found["input"] == found["prompt"] or found["prompt"] == "input.messages":
        found["input"] = None
    return found


def rated_good(column: str | None, rows: Sequence[Row]) -> float | None:
    """From which rating on answers are good: the upper part of the scale; None if they are not ratings."""
    values = _values(column, rows)
    numbers = [rating for value in values if (rating := number(value)) is not None]
    # 0 and 1 are labels; above 100 it counts something else.
    if not numbers or len(numbers) * 2 <= len(values) or max(numbers) <= 1 or max(numbers) > 100:
        return None
    # The usual scales; the smallest that holds what was seen.
    scale = next(top for top in (5, 7, 10, 100) if max(numbers) <= top)
    # 4 of 5, 5 of 7, 7 of 10: "good", and not only "not bad". A judgement that a person can correct.
    return math.ceil(0.7 * scale)


def _column_named(names: Sequence[str], columns: Sequence[str]) -> str | None:
    # Of columns that differ in case only the first one counts, as it stands first.
    by_name = {column.strip().lower().replace(" ", "_"): column for column in reversed(columns)}
    return next((by_name[name] for name in names if name in by_name), None)


def _values(column: str | None, rows: Sequence[Row]) -> list[Any]:
    values = [value_in(row, column) for row in rows] if column else []
    return [value for value in values if value is not MISSING and value not in (None, "")]


def _holds_turns(column: str | None, rows: Sequence[Row]) -> bool:
    return any(
        (isinstance(value, list) and bool(value) and isinstance(value[0], dict))
        or (isinstance(value, str) and bool(TURNS_IN_TEXT.match(value)))
        for value in _values(column, rows)
    )


def _holds_definitions(column: str | None, rows: Sequence[Row]) -> bool:
    try:
        return any(definitions(value, "") for value in _values(column, rows))
    except Rejected:
        return False


def _holds_sharegpt(column: str | None, rows: Sequence[Row]) -> bool:
    firsts = [value[0] for value in _values(column, rows) if isinstance(value, list) and value]
    return any(isinstance(first, dict) and "from" in first for first in firsts)


def _holds_lists(column: str | None, rows: Sequence[Row]) -> bool:
    return any(
        isinstance(value, list) or (isinstance(value, str) and value.startswith("["))
        for value in _values(column, rows)
    )


def _holds_scores(column: str | None, rows: Sequence[Row]) -> bool:
    """Whether these are numbers from 1 to 10, and not 0 and 1, which are labels."""
    numbers = [number(value) for value in _values(column, rows)]
    known = [value for value in numbers if value is not None and LOWEST_SCORE <= value <= HIGHEST_SCORE]
    return len(known) == len(numbers) > 0 and max(known) > 1


def _holds_labels(column: str, rows: Sequence[Row], *, plain: bool = False) -> bool:
    values = _values(column, rows)
    good = sum(
        label(value) is not None and not (plain and str(value).strip().lower() in _CLASSES)
        for value in values
    )
    # More than half, since files have cells that somebody left empty or filled with remarks.
    return good > len(values) / 2
