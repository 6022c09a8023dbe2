"""The rewards of a run, asked about answers that a model has just written.

A reward never ends a run: one that raises, or gives no finite number, has no say of that answer, which is told once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

from jobs.generation.scoring import BATCH, RewardModel
from jobs.training.course import Course
from jobs.training.judges import Judge, judge_of
from studio_core import rewards
from studio_core.base.errors import StudioError
from studio_core.generation import judgements
from studio_core.methods.rollouts import JUDGE, rewards_of
from studio_core.rewards.base import Answered, Scores, at_once
from studio_core.rewards.judge import JudgeOptions, RankingOptions


class AnswerReward:
    """One reward of a run, under the name that its metrics have."""

    def __init__(self, name: str, weight: float, scores: Scores, events: Any) -> None:
        self.name, self.weight = name, weight
        self._scores, self._events = scores, events
        self._told: set[str] = set()
        self.criteria: dict[str, list[float | None]] = {}
        """What its value is made of, by the names that metrics have; of the answers that it was asked about last."""

    @property
    def figures(self) -> dict[str, float]:
        """What asking has cost up to now, by the names of metrics."""
        return {}

    def __call__(
        self, prompts: Sequence[str], answers: Sequence[str], records: Sequence[str]
    ) -> list[float | None]:
        """What each answer is worth; ``records`` are JSON. None where there is no saying."""
        answered = [*zip(prompts, answers, map(json.loads, records), strict=True)]
        return [self._value(value) for value in self._scores(answered)]

    def _value(self, value: float | Exception) -> float | None:
        if isinstance(value, Exception):  # A reward must not end a run; how often it had no say is a metric.
            kind = value.key if isinstance(value, StudioError) else type(value).__name__
            if kind not in self._told:
                values = {"reward": self.name, "error": f"{type(value).__name__}: {value}"[:200]}
                self._events.write(
                    "notice", level="warning", key="methods.notice.reward_failed", values=values
                )
            self._told.add(kind)
            return None
        return value if math.isfinite(value) else None


class ModelReward(AnswerReward):
    """A reward model as a reward. ``standardised``: its scores with mean 0 and standard deviation 1 over the answers of
    the first round.

    Of most reward models only differences mean something, and how wide they are hangs on how they were trained: as
    they are, no KL coefficient and no clip of values would suit two of them. Advantages within a group need no scale.
    """

    def __init__(self, name: str, weight: float, model: RewardModel, events: Any, standardised: bool) -> None:
        super().__init__(name, weight, at_once(self._of_model), events)
        self.model, self.standardised = model, standardised
        self.mean, self.deviation = (math.nan, math.nan) if standardised else (0.0, 1.0)

    def _of_model(self, answered: Sequence[Answered]) -> list[float | Exception]:
        """The whole conversation is in the records."""
        texts = [self.model.text(record["prompt"], answer) for _, answer, record in answered]
        scores = [
            score
            for start in range(0, len(texts), BATCH)
            for score in self.model.scores(texts[start : start + BATCH])
        ]
        if math.isnan(self.mean):
            self.mean = fmean(scores)
            self.deviation = pstdev(scores) or 1.0  # Of scores that are all alike nothing is known yet.
        return [(score - self.mean) / self.deviation for score in scores]

    def state_dict(self) -> dict[str, float]:
        return {"mean": self.mean, "deviation": self.deviation}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.mean, self.deviation = state["mean"], state["deviation"]


class JudgeReward(AnswerReward):
    """A judge as a reward; of several criteria each has a value of its own."""

    def __init__(
        self,
        name: str,
        weight: float,
        judge: Judge,
        options: JudgeOptions | RankingOptions,
        course: Course[Any],
    ) -> None:
        super().__init__(name, weight, self._of_judge, course.events)
        self._judge, self._options, self._seed = judge, options, course.run.spec.seed

    @property
    def figures(self) -> dict[str, float]:
        tally = self._judge.tally
        figures = {"tokens": float(tally.tokens_in + tally.tokens_out)}
        if any(tally.prices):
            figures["cost"] = tally.cost
        return {f"rewards/{self.name}/{name}": value for name, value in figures.items()}

    def _of_judge(self, answered: Sequence[Answered]) -> list[float | Exception]:
        parts = judgements.parts(self._judge.replies, self._options, answered, self._seed)
        self.criteria = {
            f"{self.name}/{criterion}": [None if isinstance(value, Exception) else value for value in values]
            for criterion, values in parts.items()
            if criterion
        }
        return parts[""]


def answer_rewards(course: Course[Any], standardised: bool = False) -> list[AnswerReward]:
    """Those of the run, in its order; models that are asked are loaded. ``standardised`` as of a ``ModelReward``."""
    choices, models = rewards_of(course.run.spec), course.run.models
    names = [choice.name for choice in choices]
    made: list[AnswerReward] = []
    for place, choice in enumerate(choices):
        # What a reward says is kept by its name, so that the second of one name needs another.
        before = names[:place].count(choice.name)
        name = f"{choice.name}-{before + 1}" if before else choice.name
        role = rewards.named(choice.name).role
        if role == JUDGE.name:
            options = rewards.named(choice.name).checked(choice.options)
            made.append(JudgeReward(name, choice.weight, judge_of(course, options), options, course))
        elif role:
            scorer = RewardModel.load(models[role])
            made.append(ModelReward(name, choice.weight, scorer, course.events, standardised))
        else:
            scores = rewards.scores(choice.name, choice.options)
            made.append(AnswerReward(name, choice.weight, scores, course.events))
    return made


def total(parts: Mapping[str, float | None], weights: Mapping[str, float]) -> float | None:
    """The weighted sum of what rewards say of an answer; None if none could say."""
    values = [weights[name] * value for name, value in parts.items() if value is not None]
    # TRL's weights are 32-bit numbers: what they add to 0.1 is no part of a reward.
    return round(sum(values), 6) if values else None


def spreads(parts: Mapping[str, Sequence[float | None]]) -> dict[str, float]:
    """How far each reward spreads over the answers of a step: its standard deviation.

    1 where all are alike, for what is divided by next to nothing is noise.
    """
    known = {name: [value for value in values if value is not None] for name, values in parts.items()}
    # Below a thousandth of a reward that goes from 0 to 1 there is nothing to learn.
    return {
        name: spread if values and (spread := pstdev(values)) > 1e-3 else 1.0
        for name, values in known.items()
    }


def mean_of(values: Sequence[float | None]) -> float:
    """Of those that there are; no number if there is none."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else float("nan")
