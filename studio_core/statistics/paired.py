"""Two models on the same items: whether the second is better, and how sure that is.

Items that both get right tell nothing of the difference, so the pairs are tested, not the two means. Right and wrong by
McNemar's exact test (McNemar 1947), which is the sign test on the items where they differ; other values, and items in
clusters, by turning round the sign of each cluster's difference (Fisher 1935): if the models are alike, either sign is
as likely. Intervals of differences of shares are Bonett and Price's (2012, "Adjusted Wald confidence interval for a
difference of binomial proportions based on paired data"), all others as in ``means``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

import numpy as np

from studio_core.statistics.means import MANY_CLUSTERS, Clusters, Floats, is_binary, resampled, totals
from studio_core.statistics.winrate import LEVEL, sign_test

Direction = Literal["better", "worse", "same", "unknown"]
ALPHA = 1 - LEVEL
# Three points: less is what another seed of the same training changes. A judgement.
MARGIN = 0.03
# The usual chance of seeing a difference that is there: four times of five.
POWER = 0.8
# A suite of more items nobody has.
MOST_ITEMS = 1_000_000
# All signs of so many clusters are tried (32,768 ways); of more some are drawn, by which p is known to a tenth of
# itself at 0.03.
ALL_SIGNS, FLIPS = 15, 4_000
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


@dataclass(frozen=True)
class Comparison:
    """What pairs of values tell of two models; of no pair at all the numbers are NaN and p is 1."""

    n: int
    before: float
    after: float
    difference: float
    """``after - before``."""
    low: float
    high: float
    p: float
    test: str
    """``mcnemar`` or ``sign_flip``."""
    won: int
    """Items of which the second has the better value."""
    lost: int
    same: int
    squares: float
    """Mean of the squared differences, over clusters by their share: what sizes of samples are reckoned from."""
    clusters: int
    higher_is_better: bool = True
    margin: float = MARGIN

    def direction(self, p: float | None = None) -> Direction:
        """``p``: that of the test unless corrected. ``same`` only where the interval has none that matters."""
        if (self.p if p is None else p) < ALPHA:
            return "better" if (self.difference > 0) == self.higher_is_better else "worse"
        return "same" if -self.margin < self.low and self.high < self.margin else "unknown"

    def more_needed(self, comparisons: int = 1) -> int | None:
        """About how many items more would tell the difference seen four times of five.

        ``comparisons``: how many are made at once, by Holm's correction. None if there is no difference, or no
        number of items that anybody has would do. By the normal approximation (Miettinen 1968).
        """
        if self.n == 0 or self.difference == 0:
            return None
        alpha, power = (NormalDist().inv_cdf(x) for x in (1 - ALPHA / comparisons / 2, POWER))
        spread = max(0.0, self.squares - self.difference**2)
        needed = ((alpha * math.sqrt(self.squares) + power * math.sqrt(spread)) / self.difference) ** 2
        items = math.ceil(needed * self.n / self.clusters) - self.n
        return max(1, items) if items <= MOST_ITEMS else None


def compare(
    before: Floats,
    after: Floats,
    clusters: Clusters | None = None,
    *,
    higher_is_better: bool = True,
    margin: float = MARGIN,
    seed: int = 0,
) -> Comparison:
    """Values of two models for the same items, (n,) each; ``clusters``: (n,), to which each item belongs.

    Raises ValueError if they are not alike in number or one is NaN.
    """
    if len(before) != len(after):
        raise ValueError(f"{len(before)} values before, {len(after)} after")
    change = after - before
    if np.isnan(change).any():
        raise ValueError("a value is missing")
    if not len(change):
        return Comparison(0, *(math.nan,) * 5, 1.0, "mcnemar", 0, 0, 0, 0.0, 0, higher_is_better, margin)
    sums, sizes = totals(change, clusters)
    count, n, difference = len(sums), len(change), float(change.mean())
    up, down = int((change > 0).sum()), int((change < 0).sum())
    exact = count == n and is_binary(before) and is_binary(after)
    low, high = _shares_interval(up, down, n) if exact else _interval(before, after, sums, sizes, seed)
    won, lost = (up, down) if higher_is_better else (down, up)
    return Comparison(
        n=n,
        before=float(before.mean()),
        after=float(after.mean()),
        difference=difference,
        low=min(low, difference),
        high=max(high, difference),
        p=sign_test(up, up + down) if exact else sign_flip(sums, seed),
        test="mcnemar" if exact else "sign_flip",
        won=won,
        lost=lost,
        same=n - won - lost,
        # A cluster counts by its size, on the scale of one item.
        squares=float(((sums * count / n) ** 2).mean()),
        clusters=count,
        higher_is_better=higher_is_better,
        margin=margin,
    )


def sign_flip(differences: Floats, seed: int = 0) -> float:
    """Two-sided p-value of the sum of ``differences``, (clusters,), were each as likely to be its opposite."""
    moved = differences[differences != 0]
    count, total = len(moved), abs(float(moved.sum()))
    if count == 0:
        return 1.0
    if len(differences) >= MANY_CLUSTERS and count > ALL_SIGNS:
        # As a sum of so many independent signs it is normal, and its variance under them is known.
        return 2 * NormalDist().cdf(-total / math.sqrt(float((moved**2).sum())))
    exact = count <= ALL_SIGNS
    flipped = _all_signs(count) @ moved if exact else _some_signs(len(differences), seed) @ differences
    # Sums of the same numbers in another order differ by rounding; they are ties.
    as_far = int((np.abs(flipped) >= total * (1 - 1e-9)).sum())
    # The signs that were seen are one of the draws: without them p could be 0.
    return as_far / 2**count if exact else (as_far + 1) / (FLIPS + 1)


def _all_signs(count: int) -> Floats:
    """(2 ** count, count) of 1 and -1."""
    bits = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    return (1 - 2 * bits).astype(np.float64)


# As of bootstraps: the models of a suite have the same number of clusters.
@lru_cache(maxsize=2)
def _some_signs(count: int, seed: int) -> Floats:
    """(FLIPS, count) of 1 and -1."""
    bits = np.random.default_rng(seed).integers(0, 2, (FLIPS, count), dtype=np.int8)
    return (1 - 2 * bits).astype(np.float64)


def _shares_interval(up: int, down: int, n: int) -> tuple[float, float]:
    """Of the difference of two shares of the same ``n``, which differ in ``up`` and ``down`` items."""
    more, less = (up + 1) / (n + 2), (down + 1) / (n + 2)
    half = _Z * math.sqrt((more + less - (more - less) ** 2) / (n + 2))
    return max(-1.0, more - less - half), min(1.0, more - less + half)


def _interval(before: Floats, after: Floats, sums: Floats, sizes: Floats, seed: int) -> tuple[float, float]:
    """Of the mean difference of clusters."""
    rates = sums / sizes
    if len(sums) > 1 and (rates != rates[0]).any():
        return resampled(sums, sizes, seed)
    # Clusters that are all alike show no spread. Were they shares, it could be as wide as that of so many items without
    # a change; values on another scale are as much wider as their range is.
    scale = max(1.0, float(max(before.max(), after.max()) - min(before.min(), after.min())))
    low, high = _shares_interval(0, 0, len(sums))
    return float(rates[0]) + scale * low, float(rates[0]) + scale * high
