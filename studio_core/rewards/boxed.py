"""The answer has a final result in ``\\boxed{}``, whatever it is."""

from __future__ import annotations

import re

from studio_core.rewards.base import Reward, RewardOptions, Score

_BOXED = re.compile(r"\\boxed\s*\{\s*[^\s}]")


def boxed(options: RewardOptions) -> Score:
    return lambda prompt, answer, record: float(_BOXED.search(answer) is not None)


BOXED = Reward("boxed", boxed)
