"""The answer has a text in it, or has not; or a pattern is found in it."""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.data.patterns import Pattern
from studio_core.rewards.base import Reward


def contains(setting: str) -> Reward:
    """1 if the text is in the answer, in whatever case, else 0."""
    wanted = _given(setting).casefold()
    return lambda prompt, answer, record: float(wanted in answer.casefold())


def lacks(setting: str) -> Reward:
    """1 if the text is not in the answer, else 0."""
    unwanted = _given(setting).casefold()
    return lambda prompt, answer, record: float(unwanted not in answer.casefold())


def matches(setting: str) -> Reward:
    """1 if the pattern (RE2) is found in the answer, else 0."""
    pattern = Pattern(_given(setting))
    return lambda prompt, answer, record: float(pattern.found([answer])[0])


def _given(setting: str) -> str:
    if not setting:
        raise BadInput("generation.reward_text")
    return setting
