"""How good the steps of an answer are, by a process reward model, and one score of the answer from them.

    model = StepRewardModel.load(resolved)
    [chances] = model.step_chances([model.text(messages, "12+7=19\n19-4=14")])   # of each step that it is right
    model.scores(...)                                                           # with model.aggregation

Steps are the lines of an answer that are not blank, joined by line breaks as in training: what the model reads is what
it learnt. Lightman et al. (2023, arXiv:2305.20050) multiply: the chance that all steps are right. The least of them is
the other common choice, since one wrong step spoils a solution and a product grows smaller with every step.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from statistics import fmean
from typing import Any

import torch

from jobs.generation.answering import Text, digest
from jobs.generation.scoring import RewardModel, padded_outputs
from studio_core.base.errors import BadInput
from studio_core.curation.scoring import StepAggregation
from studio_core.data.sequences import Tokens, tokens
from studio_core.data.shapes import Message, Shape
from studio_core.runs.spec import ResolvedModel

AGGREGATIONS: dict[StepAggregation, Callable[[list[float]], float]] = {
    "min": min,
    "product": prod,
    "mean": fmean,
    "last": lambda chances: chances[-1],
}
"""The chances of an answer's steps, at least one, as one number from 0 to 1."""


@dataclass(frozen=True)
class Solution(Text):
    """An answer by steps, as the model reads it."""

    ends: tuple[int, ...] = ()
    """Places of the steps' last tokens; none if there are no steps, or not all of them fit."""


@dataclass
class StepRewardModel(RewardModel):
    aggregation: StepAggregation = "product"

    @property
    def identity(self) -> dict[str, Any]:
        return {**super().identity, "steps": self.aggregation}

    def text(self, messages: list[Message], answer: str) -> Solution:
        """A conversation with the steps of its answer. A part of the steps would be another answer: none is cut off."""
        steps = steps_of(answer)
        if not steps:
            return Solution(digest([messages, answer]), [], 0)
        [[sequence]] = tokens(self.chat, Shape.STEPWISE, [{"prompt": messages, "completions": steps}])
        if len(sequence.ids) > self.longest:
            return Solution(digest(sequence.text), [], 0)
        _, ends = step_places(steps, sequence)
        return Solution(digest(sequence.text), sequence.ids, 0, tuple(ends))

    def scores(self, texts: list[Text]) -> list[float]:
        """One score for each answer of a batch, from 0 to 1; not a number for one without steps to score."""
        return [
            AGGREGATIONS[self.aggregation](chances) if chances else float("nan")
            for chances in self.step_chances(texts)
        ]

    @torch.inference_mode()
    def step_chances(self, texts: list[Text]) -> list[list[float]]:
        """Of each answer of a batch the chance of each of its steps to be right."""
        ends = [text.ends if isinstance(text, Solution) else () for text in texts]
        scored = [place for place, own in enumerate(ends) if own]
        chances: list[list[float]] = [[] for _ in texts]
        if not scored:
            return chances
        by_token, _ = padded_outputs(self.model, [texts[place].tokens for place in scored])
        if by_token.shape[1] == 1 and len(texts[scored[0]].tokens) > 1:
            raise BadInput("generation.no_step_scores", model=self.named.name)
        for row, place in enumerate(scored):
            chances[place] = by_token[row, list(ends[place])].double().sigmoid().tolist()
        return chances


def reward_model(named: ResolvedModel, aggregation: StepAggregation) -> RewardModel:
    """A reward model that reads answers as a whole, or by their steps."""
    if aggregation == "whole":
        return RewardModel.load(named)
    model = StepRewardModel.load(named)
    model.aggregation = aggregation
    return model


def steps_of(answer: str) -> list[str]:
    return [line.rstrip() for line in answer.splitlines() if line.strip()]


def step_places(steps: list[str], sequence: Tokens) -> tuple[list[int], list[int]]:
    """Where each step's first and last tokens stand. Raises where the template does not write the steps as they are."""
    begin = sequence.text.rfind("\n".join(steps))
    if begin < 0:
        raise BadInput("methods.process-reward.steps_changed", step=steps[0][:80])
    offsets = [start for start, _ in sequence.offsets]
    starts: list[int] = []
    ends: list[int] = []
    for step in steps:
        # The last token that begins before the step is over; the line break behind it is no part of it.
        ends.append(bisect_left(offsets, begin + len(step)) - 1)
        starts.append(min(bisect_left(offsets, begin), ends[-1]))
        begin += len(step) + 1
    return starts, ends
