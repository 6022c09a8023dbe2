"""The answer has a final result in ``\\boxed{}``, whatever it is."""

from __future__ import annotations

import re
from typing import Any

from studio_core.rewards.base import Reward

_BOXED = re.compile(r"\\boxed\s*\{\s*[^\s}]")


def boxed(_: str) -> Reward:
    def reward(prompt: str, answer: str, record: dict[str, Any]) -> float:
        return float(_BOXED.search(answer) is not None)

    return reward
