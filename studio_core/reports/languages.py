"""In which languages the records of a dataset are written."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel

from studio_core.data.languages import UNKNOWN, language_of
from studio_core.reports.batch import Batch
from studio_core.reports.check import Check, Rows

# Enough for the letters of a script to tell, and the time for a record does not grow with its length.
_LOOKED_AT = 160
_WORDS_LOOKED_AT = 50
# Shorter answers are often numbers, names or formulas.
_LONG_ENOUGH = 60


class Languages(BaseModel):
    rows: dict[str, int]
    """By ISO 639-1 code, most frequent first; ``""``: too short or too mixed to tell."""


class LanguageCheck(Check[Languages]):
    name: ClassVar[str] = "languages"

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self.codes: list[str] = []
        self._rows: Counter[str] = Counter()

    def see(self, batch: Batch) -> None:
        sides = zip(batch.parts, batch.answer_words, batch.prompt_words, strict=True)
        found = []
        for part, answer, prompt in sides:
            code = _of(part.answer, answer) if len(part.answer) >= _LONG_ENOUGH else UNKNOWN
            # A short answer, or one of formulas, is in the language of what was asked.
            found.append(code or _of(f"{part.prompt}\n{part.answer}", prompt + answer))
        self._rows.update(found)
        for code in found:
            if code not in self.codes:
                self.codes.append(code)
        # A number for each record; names would be objects of 50 bytes.
        batch.columns["language"] = np.array([self.codes.index(code) for code in found], np.int16)

    def result(self, rows: Rows) -> Languages:
        return Languages(rows=dict(self._rows.most_common()))


def _of(text: str, words: list[str]) -> str:
    return language_of(text[:_LOOKED_AT], words[:_WORDS_LOOKED_AT])
