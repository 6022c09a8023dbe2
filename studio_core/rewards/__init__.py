"""Rewards: how good an answer is, as a number. This list is the only one that names them."""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.rewards.base import Reward, RewardKind
from studio_core.rewards.boxed import boxed
from studio_core.rewards.contains import contains, lacks, matches
from studio_core.rewards.equality import equality
from studio_core.rewards.language import language
from studio_core.rewards.length import longer, near, shorter
from studio_core.rewards.valid_json import valid_json

REWARDS: dict[str, RewardKind] = {
    kind.name: kind
    for kind in (
        RewardKind("equality", equality, "column"),
        RewardKind("boxed", boxed),
        RewardKind("shorter", shorter, "number"),
        RewardKind("longer", longer, "number"),
        RewardKind("near_length", near, "number"),
        RewardKind("contains", contains, "text"),
        RewardKind("lacks", lacks, "text"),
        RewardKind("matches", matches, "pattern"),
        RewardKind("valid_json", valid_json),
        RewardKind("language", language, "language"),
    )
}


def made(name: str, setting: str = "") -> Reward:
    """The reward of that name with its setting; raises ``BadInput`` if there is none or the setting does not do."""
    if name not in REWARDS:
        raise BadInput("generation.unknown_reward", name=name[:40], known=", ".join(REWARDS))
    return REWARDS[name].make(setting.strip())
