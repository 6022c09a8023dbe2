"""Answers scored by reward models, for work on data: best-of-N, filters and judges all ask here.

    scores = RewardScores(work)
    scores.fetch(items, total)
    scores(messages, answer)  # a Score, or None

Several models score one after the other: only one has to fit in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import isfinite

import numpy as np

from jobs.curation.measuring import Measured
from jobs.generation.answering import Text, digest
from jobs.generation.ensemble import Score, correlation, together
from jobs.generation.scoring import BATCH
from jobs.generation.step_scoring import reward_model
from studio_core.curation.base import Work
from studio_core.curation.scoring import StepAggregation
from studio_core.data.shapes import Message
from studio_core.runs.spec import ResolvedModel

Item = tuple[list[Message], str]
"""A conversation and an answer to it."""


class RewardScores:
    """What the reward models of a job say of answers."""

    def __init__(
        self, work: Work, step_aggregation: StepAggregation = "whole", disagreement_penalty: float = 0.0
    ) -> None:
        self._work = work
        self._step_aggregation, self._penalty = step_aggregation, disagreement_penalty
        self.members = work.models_of("reward_model")
        self._scores: dict[str, Score] = {}

    def __call__(self, messages: list[Message], answer: str) -> Score | None:
        """None of an answer that not all models could score."""
        return self._scores.get(digest([messages, answer]))

    def fetch(self, items: Callable[[], Iterable[Item]], total: int, done: int = 0) -> None:
        """Have all answers scored. ``items`` is gone through once for each model.

        ``total`` and ``done`` are those of the job's progress; what is left of it is this.
        """
        each = (total - done) // len(self.members)
        by_member = [
            self._scores_of(named, items, total, done + place * each)
            for place, named in enumerate(self.members)
            if not self._work.stopping()
        ]
        if len(by_member) < len(self.members):
            return
        keys = [key for key in by_member[0] if all(key in scores for scores in by_member)]
        if not keys:
            return
        table = np.array([[scores[key] for key in keys] for scores in by_member])
        self._scores = dict(zip(keys, together(table, self._penalty), strict=True))
        if len(table) > 1:
            spreads = [score.disagreement for score in self._scores.values()]
            self._work.details["ensemble"] = {
                "models": [named.name for named in self.members],
                "disagreement": round(float(np.mean(spreads)), 4),
                # Nine of ten answers are below it: those above are worth a person's look.
                "disagreement_90": round(float(np.quantile(spreads, 0.9)), 4),
                "correlation": round(correlation(table), 4),
            }

    def _scores_of(
        self, named: ResolvedModel, items: Callable[[], Iterable[Item]], total: int, done: int
    ) -> dict[str, float]:
        """One model's scores by the key of the item; without those that it could not give."""
        model = reward_model(named, self._step_aggregation)
        measured = Measured(self._work, model.identity, model.scores, BATCH)
        keys: dict[str, str] = {}

        def texts() -> Iterator[Text]:
            for messages, answer in items():
                text = model.text(messages, answer)
                keys[digest([messages, answer])] = text.key
                yield text

        measured.fetch(texts(), total, done)
        values = {key: measured(own) for key, own in keys.items()}
        return {key: value for key, value in values.items() if value is not None and isfinite(value)}
