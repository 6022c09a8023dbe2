"""How long records are: characters, words, turns."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import BaseModel

from studio_core.data.shapes import Shape
from studio_core.reports.batch import Batch
from studio_core.reports.check import Check, Rows
from studio_core.reports.statistics import Distribution, distribution


class Sizes(BaseModel):
    characters: Distribution
    words: Distribution | None
    """Of the answer; of plain text, all of it."""
    turns: Distribution | None


class SizeCheck(Check[Sizes]):
    name: ClassVar[str] = "sizes"

    def see(self, batch: Batch) -> None:
        parts = batch.parts
        prompts = np.array([len(part.system) + len(part.prompt) for part in parts], np.int32)
        answers = np.array([len(part.answer) for part in parts], np.int32)
        more = np.array([len(part.other) + len(part.kept) for part in parts], np.int32)
        batch.columns |= {
            "characters": prompts + answers + more,
            "prompt_characters": prompts,
            "answer_characters": answers,
            "words": np.array([len(words) for words in batch.answer_words], np.int32),
            "turns": np.array([part.turns for part in parts], np.int16),
        }

    def result(self, rows: Rows) -> Sizes:
        answered = self.asked.shape is not Shape.PROMPT_ONLY
        return Sizes(
            characters=distribution(rows["characters"]),
            words=distribution(rows["words"]) if answered else None,
            turns=distribution(rows["turns"]) if self.asked.shape is Shape.CHAT else None,
        )
