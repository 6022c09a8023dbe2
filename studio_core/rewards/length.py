"""Rewards for the length of an answer, in characters."""

from __future__ import annotations

from typing import Any

from studio_core.base.errors import BadInput
from studio_core.rewards.base import Reward


def shorter(setting: str) -> Reward:
    """1 up to so many characters; twice as many give 1/2, and so on."""
    target = _characters(setting)
    return lambda prompt, answer, record: min(1.0, target / max(1, len(answer.strip())))


def longer(setting: str) -> Reward:
    """1 from so many characters on; half as many give 1/2, and so on."""
    target = _characters(setting)
    return lambda prompt, answer, record: min(1.0, len(answer.strip()) / target)


def near(setting: str) -> Reward:
    """1 at exactly so many characters; half or twice as many give 1/2."""
    target = _characters(setting)

    def reward(prompt: str, answer: str, record: dict[str, Any]) -> float:
        length = len(answer.strip())
        return min(length, target) / max(length, target)

    return reward


def _characters(setting: str) -> int:
    if not (setting.isascii() and setting.isdigit() and int(setting[:9]) > 0 and len(setting) < 10):
        raise BadInput("generation.reward_number", value=setting[:80])
    return int(setting)
