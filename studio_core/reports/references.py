"""Reference answers that a reward function will compare with: those that it could not read.

They stand in a column beside the prompt (``answer``, ``solution`` ...), or at the end of a worked solution
after ``####`` or in ``\\boxed{}``. If most of them are numbers, one that is none is a finding.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel

from studio_core.data.final_answers import LONGEST, final_answer, number
from studio_core.data.shapes import COLUMNS, Record, Shape
from studio_core.reports.batch import Batch
from studio_core.reports.check import FIRST, Check, Rows
from studio_core.rewards.equality import COLUMN_NAMES

# More than half: then the others are the odd ones, and not another kind of task.
MOSTLY = 0.5

_MARKED = re.compile(r"####|\\boxed\{")


class Unreadable(BaseModel):
    row: int
    text: str
    """What stands there, shortened."""


class References(BaseModel):
    column: str
    """Where they stand; ``completion`` for worked solutions."""
    numbers: int
    texts: int
    """Short, but no number: compared word for word."""
    missing: int
    """Nothing there, or nothing that is marked as the final answer and is short enough to be one."""
    mostly_numbers: bool
    unreadable: list[Unreadable]


class ReferenceCheck(Check[References]):
    name: ClassVar[str] = "references"
    finds: ClassVar[tuple[str, ...]] = ("unreadable_reference",)
    shapes: ClassVar[frozenset[Shape]] = frozenset({Shape.PROMPT_ONLY, Shape.PROMPT_COMPLETION, Shape.CHAT})

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self._column = ""
        self._numbers = self._texts = self._missing = self._marked = 0
        self._unreadable: dict[str, list[Unreadable]] = {"text": [], "missing": []}

    def see(self, batch: Batch) -> None:
        # Columns are the same in all records of a version, so that the first one tells.
        if batch.shape is Shape.PROMPT_ONLY and not self._column:
            kept = [name for name in batch.records[0] if name not in COLUMNS[Shape.PROMPT_ONLY]]
            self._column = next((name for name in COLUMN_NAMES if name in kept), "")
        kinds = np.zeros(len(batch), np.int8)
        for place, (record, part) in enumerate(zip(batch.records, batch.parts, strict=True)):
            if batch.shape is Shape.PROMPT_ONLY:
                answer = _reference(record, self._column) if self._column else None
            else:
                marked = _MARKED.search(part.answer) is not None
                self._marked += marked
                answer = final_answer(part.answer) if marked else None
            if answer is not None and number(answer):
                self._numbers += 1
                continue
            # Longer than a reward function compares, it is no final answer.
            kind = "text" if answer is not None and len(answer) <= LONGEST else "missing"
            kinds[place] = 1 if kind == "text" else 2
            self._texts += kind == "text"
            self._missing += kind == "missing"
            listed = self._unreadable[kind]
            if len(listed) < FIRST:
                # The end of a solution, where the answer should have been.
                text = answer if answer is not None else part.answer[-80:]
                listed.append(Unreadable(row=batch.first + place, text=text[:80]))
        batch.columns["reference"] = kinds

    def result(self, rows: Rows) -> References | None:
        solutions = self.asked.shape is not Shape.PROMPT_ONLY
        if not (self._marked > MOSTLY * rows.count if solutions else self._column):
            return None
        mostly_numbers = self._numbers > MOSTLY * rows.count
        bad = rows["reference"] > (0 if mostly_numbers else 1)
        rows.flag(bad, "unreadable_reference")
        listed = self._unreadable["missing"] + (self._unreadable["text"] if mostly_numbers else [])
        return References(
            column="completion" if solutions else self._column,
            numbers=self._numbers,
            texts=self._texts,
            missing=self._missing,
            mostly_numbers=mostly_numbers,
            unreadable=sorted(listed, key=lambda one: one.row)[:FIRST],
        )


def _reference(record: Record, column: str) -> str | None:
    """The final answer that a column holds: all of it, or of a worked solution its end."""
    text = str(record.get(column) or "").strip()
    marked = final_answer(text) if _MARKED.search(text) else None
    return marked or text or None
