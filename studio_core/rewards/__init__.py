"""Rewards: how good an answer is, as a number. This list is the only one that names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.rewards.base import Reward, Score
from studio_core.rewards.boxed import BOXED
from studio_core.rewards.contains import CONTAINS, LACKS, MATCHES
from studio_core.rewards.equality import EQUALITY
from studio_core.rewards.language import LANGUAGE
from studio_core.rewards.length import LONGER, NEAR_LENGTH, SHORTER
from studio_core.rewards.valid_json import VALID_JSON

REWARDS: dict[str, Reward] = {
    reward.name: reward
    for reward in (
        EQUALITY,
        BOXED,
        SHORTER,
        LONGER,
        NEAR_LENGTH,
        CONTAINS,
        LACKS,
        MATCHES,
        VALID_JSON,
        LANGUAGE,
    )
}
DEFAULT = EQUALITY.name


def named(name: str) -> Reward:
    """The reward of that name; raises ``BadInput`` that lists the known ones."""
    if name not in REWARDS:
        raise BadInput("rewards.unknown", name=name[:40], known=", ".join(REWARDS))
    return REWARDS[name]


def score(name: str, options: Mapping[str, Any]) -> Score:
    """What gives the rewards; raises ``BadInput`` if there is no reward of that name or its options do not do."""
    reward = named(name)
    return reward.score(reward.checked(options))


def stored_score(name: str, options: Mapping[str, Any], setting: str) -> Score:
    """The same of what is stored, also by a former version, where a reward had one text (``setting``) as its option."""
    return score(name, {**options_of_setting(name, setting), **options})


def options_of_setting(name: str, setting: str) -> dict[str, str]:
    """The options of a reward as specs of former versions have them: one text, of no effect where it takes none."""
    option = named(name).setting
    return {option: setting.strip()} if option and setting.strip() else {}
