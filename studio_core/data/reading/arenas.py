"""Votes of arenas: two answers, or two conversations, and which of them won. A row becomes a pair.

As LMSYS writes them: ``conversation_a``, ``conversation_b`` and ``winner``, or ``response_a``,
``response_b`` and ``winner_model_a``, ``winner_model_b``, ``winner_tie``, whose cells are lists in JSON;
and others that name the better of two answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from studio_core.data.columns import Row, label
from studio_core.data.notes import Rejected
from studio_core.data.reading.labelled import Export
from studio_core.data.turns import written_turns

_STEMS = ("conversation", "response", "answer", "completion", "output")
_ENDS = (("a", "b"), ("1", "2"), ("0", "1"))
_VERDICTS = ("winner", "preferred", "preference", "better", "better_response_id", "overall_preference")
_TIES = ("tie", "both", "neither", "equal", "draw", "same", "none")
_BEFORE_A_SIDE = re.compile(r"^(model|response|answer|assistant|conversation|completion|output)?[\W_]*")


def recognise(rows: Sequence[Row]) -> Export | None:
    """Whether most of these rows are votes on two answers."""
    voted = [row for row in rows if _sides(row) and _verdict_columns(row)]
    # Most and not all: a file may have rows that were never voted on.
    return Export("arena", unfold, ()) if voted and len(voted) * 2 > len(rows) else None


def unfold(row: Row) -> Row:
    """The row with ``chosen`` and ``rejected``; raises ``Rejected`` where neither was preferred."""
    sides, verdicts = _sides(row), _verdict_columns(row)
    if not sides or not verdicts:
        raise Rejected("not_as_the_others", program="Arena")
    place = _won(row, sides, verdicts)
    gone = {*sides, *verdicts}
    left = {name: value for name, value in row.items() if name not in gone}
    answers = [_parse_cell(row[side]) for side in sides]
    asked = _parse_cell(row.get("prompt"))
    if _are_texts(asked) and all(_are_texts(said) and len(said) == len(asked) for said in answers):
        # Several turns, question by question: the answers differ from the first one on.
        left.pop("prompt")
        answers = [_turn_by_turn(asked, said) for said in answers]
    else:
        answers = [row[side] if _are_texts(said) else said for side, said in zip(sides, answers, strict=True)]
    return {**left, "chosen": answers[place], "rejected": answers[1 - place]}


def _sides(row: Row) -> tuple[str, str] | None:
    names = {name.lower(): name for name in row}
    for stem in _STEMS:
        for first, second in _ENDS:
            for joint in ("_", "", " "):
                a, b = f"{stem}{joint}{first}", f"{stem}{joint}{second}"
                if a in names and b in names:
                    return names[a], names[b]
    return None


def _verdict_columns(row: Row) -> list[str]:
    """The columns that say which side won: one, or one for each side and for ties."""
    # At least two: one alone may be a column like any other.
    marks = [name for name in row if name.startswith("winner_")]
    if len(marks) >= 2:
        return marks
    names = {name.lower(): name for name in row}
    return [names[name] for name in _VERDICTS if name in names][:1]


def _won(row: Row, sides: tuple[str, str], verdicts: list[str]) -> int:
    if len(verdicts) > 1:
        won = [name for name in verdicts if label(row[name])]
        if len(won) != 1:
            raise Rejected("winner_unclear", column=", ".join(verdicts), value=", ".join(won))
        column, verdict = won[0], won[0].removeprefix("winner_")
    else:
        column = verdicts[0]
        verdict = str(row[column])
    plain = verdict.strip().lower()
    if plain.startswith(_TIES):
        raise Rejected("no_preference", column=column, answer=verdict[:60])
    ends = [side.lower()[-1] for side in sides]
    named = [str(row.get(f"model_{end}")).lower() for end in ends]
    # The winner by the name of its model; of a model against itself the name says nothing.
    if plain in named and named[0] != named[1]:
        return named.index(plain)
    side = _BEFORE_A_SIDE.sub("", plain)
    if side not in ends:
        raise Rejected("winner_unclear", column=column, value=verdict[:60])
    return ends.index(side)


def _parse_cell(value: Any) -> Any:
    """What a cell holds: turns or a list of texts, if they are written in it, else the value itself."""
    if not isinstance(value, str) or value[:1] != "[":
        return value
    if (turns := written_turns(value)) is not None:
        return turns
    try:
        listed = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return listed if _are_texts(listed) else value


def _are_texts(value: Any) -> bool:
    return (
        isinstance(value, list) and bool(value) and all(one is None or isinstance(one, str) for one in value)
    )


def _turn_by_turn(asked: list[str | None], said: list[str | None]) -> list[Row]:
    return [
        {"role": role, "content": text}
        for question, answer in zip(asked, said, strict=True)
        for role, text in (("user", question), ("assistant", answer))
    ]
