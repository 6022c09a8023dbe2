"""Groups of answers to one prompt that are all worth the same: nothing is learnt from them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from studio_core import rewards
from studio_core.runs.spec import RewardChoice

_ALIKE = 1e-6
"""Rewards are told to six places; a sum of weighted ones is that far from the sum of their ends."""


class Groups:
    """Tells groups that are all best from those that are all worst by what the rewards of a run can give.

    Where that is open on one side, as of a reward model, it is the best and the worst of the run so far; a run that is
    resumed begins to see anew.
    """

    def __init__(self, choices: Iterable[RewardChoice], size: int) -> None:
        self._lowest, self._highest = rewards.ends(choices)
        self._size = size
        self._worst, self._best = math.inf, -math.inf

    def shares(self, worth: Sequence[float | None]) -> dict[str, float]:
        """Of the answers of one step, group by group, None where no reward could judge: which share of the groups is
        alike, and which of them at the highest and at the lowest reward."""
        known = [value for value in worth if value is not None]
        self._worst, self._best = min([self._worst, *known]), max([self._best, *known])
        groups = [{*worth[start : start + self._size]} for start in range(0, len(worth), self._size)]
        alike = [value for group in groups if len(group) == 1 for value in group if value is not None]
        return {
            "groups/alike": len(alike) / len(groups),
            "groups/all_best": sum(map(self._is_best, alike)) / len(groups),
            "groups/all_worst": sum(map(self._is_worst, alike)) / len(groups),
        }

    def _is_best(self, value: float) -> bool:
        if math.isfinite(self._highest):
            return value >= self._highest - _ALIKE
        return value == self._best > self._worst

    def _is_worst(self, value: float) -> bool:
        if math.isfinite(self._lowest):
            return value <= self._lowest + _ALIKE
        return value == self._worst < self._best
