"""Rewards: how good an answer is, as a number. This list is the only one that names them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.rewards.base import Reward, Score, Scores, at_once, one_by_one
from studio_core.rewards.boxed import BOXED
from studio_core.rewards.contains import CONTAINS, LACKS, MATCHES
from studio_core.rewards.equality import EQUALITY
from studio_core.rewards.json_schema import JSON_SCHEMA
from studio_core.rewards.judge import JUDGE, JUDGE_RANKING
from studio_core.rewards.language import LANGUAGE
from studio_core.rewards.length import LONGER, NEAR_LENGTH, SHORTER
from studio_core.rewards.math_equality import MATH
from studio_core.rewards.number import NUMBER
from studio_core.rewards.own_code import OWN_CODE
from studio_core.rewards.repetition import REPETITION
from studio_core.rewards.reward_model import REWARD_MODEL
from studio_core.rewards.tags import TAGS
from studio_core.rewards.unit_tests import UNIT_TESTS
from studio_core.rewards.valid_json import VALID_JSON
from studio_core.runs.spec import RewardChoice

REWARDS: dict[str, Reward] = {
    reward.name: reward
    for reward in (
        EQUALITY,
        MATH,
        NUMBER,
        UNIT_TESTS,
        BOXED,
        TAGS,
        SHORTER,
        LONGER,
        NEAR_LENGTH,
        CONTAINS,
        LACKS,
        MATCHES,
        VALID_JSON,
        JSON_SCHEMA,
        LANGUAGE,
        REPETITION,
        OWN_CODE,
    )
}
"""Those of answers and records alone."""
OF_TRAININGS: dict[str, Reward] = {
    **REWARDS,
    **{reward.name: reward for reward in (REWARD_MODEL, JUDGE, JUDGE_RANKING)},
}
"""Those that a training can learn from: also the ones that ask a model."""
DEFAULT = EQUALITY.name


def named(name: str) -> Reward:
    """The reward of that name; raises ``BadInput`` that lists the known ones."""
    known = {**OF_TRAININGS, **REWARDS}
    if name not in known:
        raise BadInput("rewards.unknown", name=name[:40], known=", ".join(known))
    return known[name]


def service_of(choice: RewardChoice) -> str:
    """The service that a reward asks, of rewards that ask one; raises ``BadInput`` as ``score`` does."""
    reward = named(choice.name)
    return reward.service(reward.checked(choice.options))


def score(name: str, options: Mapping[str, Any]) -> Score:
    """What gives the rewards; raises ``BadInput`` if there is no reward of that name or its options do not do."""
    reward = named(name)
    return reward.score(reward.checked(options))


def scores(name: str, options: Mapping[str, Any]) -> Scores:
    """The same for many answers at once. What is raised for one of them stands in its place and stops no other."""
    reward = named(name)
    checked = reward.checked(options)
    return at_once(reward.many(checked)) if reward.many else one_by_one(reward.score(checked))


def ends(choices: Iterable[RewardChoice]) -> tuple[float, float]:
    """The lowest and the highest that the weighted sum of these rewards can be; infinite where it has no end."""
    lowest = highest = 0.0
    for choice in choices:
        if choice.weight:
            reward = OF_TRAININGS.get(choice.name)
            both = (reward.lowest, reward.highest) if reward else (-math.inf, math.inf)
            low, high = sorted(choice.weight * end for end in both)
            lowest, highest = lowest + low, highest + high
    return lowest, highest


def stored_score(name: str, options: Mapping[str, Any], setting: str) -> Score:
    """The same of what is stored, also by a former version, where a reward had one text (``setting``) as its option."""
    return score(name, {**options_of_setting(name, setting), **options})


def stored_scores(name: str, options: Mapping[str, Any], setting: str) -> Scores:
    return scores(name, {**options_of_setting(name, setting), **options})


def options_of_setting(name: str, setting: str) -> dict[str, str]:
    """The options of a reward as specs of former versions have them: one text, of no effect where it takes none."""
    option = named(name).setting
    return {option: setting.strip()} if option and setting.strip() else {}
