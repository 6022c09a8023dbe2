"""A dataset of the studio as a suite: its prompts are the questions, a reward scores the answers.

Workers import this: no database here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from studio_core import rewards
from studio_core.base.errors import BadInput
from studio_core.curation.asking import asked_of
from studio_core.curation.base import Source
from studio_core.evaluation.protocols import protocol_of
from studio_core.rewards.base import held
from studio_core.runs.spec import ResolvedDataset, RewardChoice, SuiteChoice
from studio_core.suites import Item, Suite, Verdict
from studio_core.suites.base import unscored
from studio_core.suites.judged.suites import needs_judge

# As much as a chat answers by its preset: a dataset does not say how long answers may be.
MAX_TOKENS = 512


def reward_of(choice: SuiteChoice) -> RewardChoice:
    """What scores the answers: by default, whether the final answer is that of the record."""
    return choice.reward or RewardChoice(name=rewards.DEFAULT)


def check(choice: SuiteChoice) -> None:
    """Raise ``BadInput`` if the reward is unknown, its options do not do, or only a training can ask its model.

    The same of a protocol, where a judge scores them, and of two things that would score.
    """
    protocol = protocol_of(choice)
    if choice.reward_model and (protocol or choice.reward):
        other = protocol.name if protocol else reward_of(choice).name
        raise BadInput("evaluation.reward_model_or", model=choice.reward_model, other=other)
    if protocol or choice.reward_model:
        return
    wanted = reward_of(choice)
    rewards.named(wanted.name)
    if wanted.name not in rewards.REWARDS:
        known = ", ".join(rewards.REWARDS)
        raise BadInput("evaluation.reward_of_trainings", reward=wanted.name, known=known)
    rewards.score(wanted.name, wanted.options)


def suite_of(choice: SuiteChoice) -> Suite:
    """The suite that a test set and what scores it are. What the reward raises is raised by ``score``."""
    if protocol := protocol_of(choice):
        return Suite(
            choice.title,
            needs_judge,
            max_tokens=choice.max_tokens or MAX_TOKENS,
            scored_by="judge",
            unit=protocol.unit,
            protocol=protocol,
        )
    if choice.reward_model:
        return Suite(
            choice.title,
            unscored,
            max_tokens=choice.max_tokens or MAX_TOKENS,
            scored_by="reward_model",
            unit="score",
        )
    wanted = reward_of(choice)
    reward, scored = rewards.named(wanted.name), rewards.score(wanted.name, wanted.options)
    looked_into = reward.columns(reward.checked(wanted.options))

    def score(item: Item, answer: str) -> Verdict:
        if looked_into and held(item.record, looked_into) is None:  # type: ignore[arg-type]
            return Verdict(math.nan, "no_reference", {"columns": ", ".join(looked_into)})
        value = float(scored(item.question, answer, dict(item.record)))
        return Verdict(value, *(("wanted", {"wanted": item.key}) if item.key and value < 1 else ()))

    return Suite(choice.title, score, max_tokens=choice.max_tokens or MAX_TOKENS)


def items(choice: SuiteChoice, dataset: ResolvedDataset) -> Iterator[Item]:
    """A question for each record that asks something; ``id`` is the number of its row, from 1."""
    looked_into: tuple[str, ...] = ()
    if not (choice.protocol or choice.reward_model):
        wanted = reward_of(choice)
        reward = rewards.named(wanted.name)
        looked_into = reward.columns(reward.checked(wanted.options))
    for row, record in enumerate(Source.of(dataset).records(), start=1):
        messages: Any = asked_of(record)
        if any(each["role"] != "system" for each in messages):
            reference = held(record, looked_into) if looked_into else None
            yield Item(choice.title, "", tuple(messages), reference or "", id=str(row), record=record)
