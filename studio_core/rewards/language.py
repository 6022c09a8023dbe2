"""The answer is written in a language."""

from __future__ import annotations

import re
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.data.languages import language_of
from studio_core.data.words import words
from studio_core.rewards.base import Reward

_LOOKED_AT = 400


def language(setting: str) -> Reward:
    """1 if the answer is in the language of this ISO 639-1 code, 0 if it is in another, 1/2 if it cannot be told."""
    if not re.fullmatch("[a-z]{2}", setting):
        raise BadInput("generation.reward_language", value=setting[:80])

    def reward(prompt: str, answer: str, record: dict[str, Any]) -> float:
        text = answer[:_LOOKED_AT]
        found = language_of(text, words(text)[:50])
        return float(found == setting) if found else 0.5

    return reward
