"""Worked sums with planted errors, and what is found of them: by a process reward model, and without any training.

Part of the report of ``jobs.demo.reward_models``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

import numpy as np

from jobs.demo import sums
from jobs.demo.sums import Sum
from jobs.generation.answering import Text
from jobs.generation.engines.loop import LoopEngine
from jobs.generation.scoring import BATCH
from jobs.generation.step_scoring import AGGREGATIONS, StepRewardModel, step_places
from jobs.training.process_reward import Verdicts
from studio_core.data.chat_format import ChatFormat
from studio_core.data.sequences import tokens
from studio_core.data.shapes import Message, Record, Shape

RULES = {how: rule for how, rule in AGGREGATIONS.items() if how != "last"}
"""The last step alone says nothing of an error in another one."""
Chances = list[list[float]]
"""Of each solution the chance of each of its steps."""


T = TypeVar("T")


def batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    return ([*items[start : start + size]] for start in range(0, len(items), size))


@dataclass(frozen=True)
class Solution:
    prompt: list[Message]
    problem: Sum
    steps: list[str]
    labels: list[bool]

    @property
    def record(self) -> Record:
        return {"prompt": self.prompt, "completions": self.steps, "labels": self.labels}

    def mended(self) -> Solution:
        """The same without its error."""
        return sound(self.prompt, self.problem)


def worked_steps(problem: Sum) -> list[str]:
    """Ones, tens and the result, a line each."""
    return sums.worked(problem).replace(". ", ".\n").splitlines()


def sound(prompt: list[Message], problem: Sum) -> Solution:
    steps = worked_steps(problem)
    return Solution(prompt, problem, steps, [True] * len(steps))


def spoilt(step: str, rng: random.Random) -> str:
    """The step with another last digit: a wrong value in the same words."""
    place = max(place for place, sign in enumerate(step) if sign.isdigit())
    other = rng.choice([digit for digit in "0123456789" if digit != step[place]])
    return step[:place] + other + step[place + 1 :]


def planted(prompt: list[Message], problem: Sum, rng: random.Random) -> Solution:
    """A worked sum with an error in one of its steps. The steps behind it stay as they are, and right."""
    steps = worked_steps(problem)
    wrong = rng.randrange(len(steps))
    steps[wrong] = spoilt(steps[wrong], rng)
    return Solution(prompt, problem, steps, [place != wrong for place in range(len(steps))])


def solutions(asked: Iterable[tuple[list[Message], Sum]], seed: int) -> list[Solution]:
    """Each problem solved; in every second solution there is one error."""
    rng = random.Random(seed)
    return [
        planted(prompt, problem, rng) if place % 2 else sound(prompt, problem)
        for place, (prompt, problem) in enumerate(asked)
    ]


def trained_chances(model: StepRewardModel, asked: list[Solution]) -> Chances:
    texts = [model.text(one.prompt, "\n".join(one.steps)) for one in asked]
    return [chances for some in batches(texts, BATCH) for chances in model.step_chances([*some])]


def untrained_chances(engine: LoopEngine, chat: ChatFormat, asked: list[Solution]) -> Chances:
    """Of each step the chance of its least likely token, by a model that writes such answers."""
    chances: Chances = []
    for some in batches(asked, BATCH):
        sequences = [own for [own] in tokens(chat, Shape.STEPWISE, [one.record for one in some])]
        places = [step_places(one.steps, own) for one, own in zip(some, sequences, strict=True)]
        texts = [
            Text("", own.ids, len(own.ids) - starts[0])
            for own, (starts, _) in zip(sequences, places, strict=True)
        ]
        for logprobs, (starts, ends) in zip(engine.scores(texts), places, strict=True):
            first = starts[0]
            spans = zip(starts, ends, strict=True)
            chances.append([float(np.exp(min(logprobs[a - first : b + 1 - first]))) for a, b in spans])
    return chances


def best_threshold(chances: Chances, asked: list[Solution]) -> float:
    """Above it a step is right: the value that is right most often of these solutions."""
    flat, labels = np.concatenate(chances), np.concatenate([one.labels for one in asked])
    return float(max([0.0, *np.unique(flat)], key=lambda value: float(((flat > value) == labels).mean())))


def figures(
    score: Callable[[list[Solution]], Chances], threshold: float, asked: list[Solution]
) -> dict[str, float]:
    """Per cent of steps judged rightly, of solutions whose first error was found, and of pairs in order.

    A pair is a worked sum and the same with an error, compared by the chances of their steps as one number.
    """
    chances = score(asked)
    judged = [[chance > threshold for chance in own] for own in chances]
    verdicts = Verdicts.of([one.labels for one in asked], judged)
    wrong = [place for place, one in enumerate(asked) if not all(one.labels)]
    mended = score([asked[place].mended() for place in wrong])
    return {
        "steps": 100 * verdicts.steps,
        "first error": 100 * verdicts.solutions / len(asked),
        **{
            f"pairs, {how}": 100
            * fmean(rule(a) > rule(chances[b]) for a, b in zip(mended, wrong, strict=True))
            for how, rule in RULES.items()
        },
    }
