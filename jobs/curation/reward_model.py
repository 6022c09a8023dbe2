"""Answers scored by a reward model, for work on data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jobs.curation.measuring import Measured
from jobs.curation.prompts import asked_records
from jobs.generation.answering import Question, Text
from jobs.generation.scoring import BATCH, RewardModel
from studio_core.curation.base import Work
from studio_core.curation.best_of import BestOfOptions
from studio_core.data.shapes import Record

if TYPE_CHECKING:
    from jobs.curation.best_of import Score, Texts


def scorer(work: Work, options: BestOfOptions, texts: Texts, total: int, done: int) -> Score:
    """Scores all answers with the model, and then knows them."""
    model = RewardModel.load(work.models["reward_model"])
    scores = Measured(work, model.identity, model.scores, BATCH)

    def items() -> Iterator[Text]:
        for _, _, question in asked_records(work, options.system):
            for text in texts(question):
                yield model.text(question.messages, text)

    scores.fetch(items(), total, done)

    def score(record: Record, question: Question, text: str) -> float | None:
        return scores(model.text(question.messages, text).key)

    return score
