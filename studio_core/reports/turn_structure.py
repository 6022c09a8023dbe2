"""Conversations that no chat template expects: roles out of order, nothing said, no answer at the end."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Literal

from pydantic import BaseModel

from studio_core.data.shapes import Message, Record, Shape
from studio_core.reports.batch import Batch
from studio_core.reports.check import PROMPTED, Check, Rows

Fault = Literal["late_system", "order", "empty_turn", "no_answer", "answered_prompt", "nothing"]

# What every open chat template accepts. Several results of tools may follow one turn with several calls.
_MAY_FOLLOW = {
    "": ("system", "user"),
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("assistant", "tool"),
}


_SIDES = {
    Shape.PREFERENCE: ("chosen", "rejected"),
    Shape.PROMPT_COMPLETION: ("completion",),
    Shape.UNPAIRED_PREFERENCE: ("completion",),
    Shape.SCORED: ("completion",),
}


class Turns(BaseModel):
    faults: dict[str, int]
    """Rows by the first fault of each."""


class TurnCheck(Check[Turns]):
    name: ClassVar[str] = "turn_structure"
    finds: ClassVar[tuple[str, ...]] = ("turn_order",)
    shapes: ClassVar[frozenset[Shape]] = PROMPTED

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self._faults: Counter[str] = Counter()

    def see(self, batch: Batch) -> None:
        for place, record in enumerate(batch.records):
            fault = fault_of(batch.shape, record)
            if fault:
                self._faults[fault] += 1
                batch.flag(place, "turn_order")

    def result(self, rows: Rows) -> Turns:
        return Turns(faults=dict(self._faults.most_common()))


def fault_of(shape: Shape, record: Record) -> Fault | None:
    """The first thing that is wrong with the turns of a record."""
    if shape is Shape.CHAT:
        messages: list[Message] = record["messages"]
        return _order(messages) or (None if messages[-1]["role"] == "assistant" else "no_answer")
    prompt: list[Message] = record["prompt"]
    if fault := _order(prompt) if prompt else None:
        return fault
    if prompt and prompt[-1]["role"] == "assistant":
        return "answered_prompt"
    for side in _SIDES.get(shape, ()):
        answer: list[Message] = record[side]
        if answer and answer[0]["role"] != "assistant":
            return "order"
    return "nothing" if shape is Shape.PROMPT_ONLY and not prompt else None


def _order(messages: list[Message]) -> Fault | None:
    before = ""
    for message in messages:
        role = message["role"]
        if role not in _MAY_FOLLOW[before]:
            return "late_system" if role == "system" else "order"
        # An answer may be empty where it only calls tools, and results of tools may be empty.
        if role in ("user", "system") and not message["content"].strip():
            return "empty_turn"
        before = role
    return None if messages else "nothing"
