"""How many of the unpaired answers are marked good."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel

from studio_core.data.shapes import Shape
from studio_core.reports.batch import Batch
from studio_core.reports.check import Check, Rows
from studio_core.reports.statistics import Share, share


class Labels(BaseModel):
    good: Share
    words_good: float
    """Mean words of an answer that is marked good."""
    words_bad: float


class LabelCheck(Check[Labels]):
    name: ClassVar[str] = "labels"
    shapes: ClassVar[frozenset[Shape]] = frozenset({Shape.UNPAIRED_PREFERENCE})

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self._answers = {True: 0, False: 0}
        self._words = {True: 0, False: 0}

    def see(self, batch: Batch) -> None:
        for record, words in zip(batch.records, batch.answer_words, strict=True):
            self._answers[bool(record["label"])] += 1
            self._words[bool(record["label"])] += len(words)

    def result(self, rows: Rows) -> Labels:
        # At least 1, where there is no answer of a kind.
        means = {label: self._words[label] / max(count, 1) for label, count in self._answers.items()}
        return Labels(
            good=share(self._answers[True], rows.count),
            words_good=float(np.round(means[True], 1)),
            words_bad=float(np.round(means[False], 1)),
        )
