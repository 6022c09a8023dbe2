"""Items of an evaluation as data: the better answer against the worse one, or a question with a right answer.

The failures of this round are the data of the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.data.appending import Added, Origin, append
from studio_core.data.shapes import Record, Shape
from studio_core.data.tool_calls import message
from studio_core.evaluation.browsing import Pair
from studio_core.evaluation.items_file import AnsweredItem

Kind = Literal["pair", "answer"]
SHAPES: dict[str, tuple[Shape, ...]] = {
    "pair": (Shape.PREFERENCE,),
    "answer": (Shape.PROMPT_COMPLETION, Shape.CHAT),
}
"""The shapes of datasets that take one; of a new dataset the first."""

OPERATION = "evaluation"


def add(studio: Studio, pair: Pair, places: Sequence[int], kind: str, name: str) -> Added:
    """Add the items at these places to the dataset ``name``, which is made if there is none.

    Raises ``BadInput`` if none of them makes a record (both answers are worth the same; none is right), or if the
    dataset is of another shape.
    """
    if kind not in SHAPES:
        raise BadInput("evaluation.record_kind", kind=kind[:40], known=", ".join(SHAPES))
    tools = pair.after.figures.get("tools")
    sign = (1.0 if pair.higher_is_better else -1.0) / pair.best

    def records(shape: Shape) -> list[Record]:
        made = [_record(kind, shape, before, after, sign, tools) for before, after in pair.read(places)]
        known = [record for record in made if record is not None]
        if not known:
            raise BadInput(f"evaluation.no_{kind}", items=len(places))
        return known

    job = pair.after.job_id
    options = {"evaluation": job, "suite": pair.after.suite}
    return append(studio, name, SHAPES[kind], records, Origin(f"evaluation {job}", OPERATION, options))


def _record(
    kind: str, shape: Shape, before: AnsweredItem, after: AnsweredItem, sign: float, tools: str | None
) -> Record | None:
    """``tools``: definitions that the prompt told of, as the column of that name holds them."""
    rated = [
        (sign * value, text, row, which)
        for row in (before, after)
        for which, (value, text) in enumerate(zip(row.values, row.answers, strict=False))
        if value == value and text.strip()
    ]
    if not rated:
        return None
    best, worst = max(rated, key=_worth), min(rated, key=_worth)
    told = {"tools": tools} if tools else {}
    asked = {"prompt": [dict(message) for message in after.prompt], **told}
    if kind == "answer":
        return None if best[0] < 1 else _answered(shape, asked, _spoken(*best[2:]))
    if best[0] == worst[0]:
        return None
    return {**asked, "chosen": _spoken(*best[2:]), "rejected": _spoken(*worst[2:])}


def _worth(rated: tuple[float, str, AnsweredItem, int]) -> tuple[float, str]:
    return rated[:2]


def _answered(shape: Shape, asked: dict[str, Any], answer: list[dict[str, str]]) -> Record:
    if shape == Shape.CHAT:
        return {"messages": [*asked.pop("prompt"), *answer], **asked}
    return {**asked, "completion": answer}


def _spoken(row: AnsweredItem, which: int) -> list[dict[str, str]]:
    """One of a row's answers: a single turn, or all of them with calls and results."""
    if row.turns:
        return [message(turn["role"], turn["content"]) for turn in row.turns[which]]
    return [{"role": "assistant", "content": row.answers[which]}]
