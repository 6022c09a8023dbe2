"""How sure a mean is: an interval that would hold the true one in 95 of 100 such samples.

Shares of right and wrong have Wilson's interval (``winrate.wilson``). Other values, and values that belong together in
clusters (questions on one text: what is hard about one is hard about all), are drawn again by clusters, which is the
percentile bootstrap (Efron 1979); of few clusters it would be too narrow, so its points are moved outwards as
Student's t is wider than the normal distribution (Hesterberg 2015, "What teachers should know about the bootstrap").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from studio_core.statistics.winrate import LEVEL, wilson

Floats = NDArray[np.float64]
Clusters = Sequence[str] | NDArray[np.int_]

# The 2.5 % point rests on fifty of them; another seed moves it by a hundredth of the interval's width or two.
BOOTSTRAPS = 2_000
# From here the sum of so many clusters is normal enough that drawing them again changes no figure that is shown, and a
# report of many suites opens at once.
MANY_CLUSTERS = 300


@dataclass(frozen=True)
class Mean:
    mean: float
    low: float
    """NaN, as ``high``, where nothing tells the spread: there is one cluster."""
    high: float
    n: int
    clusters: int
    """As many as values where each stands for itself."""
    method: str
    """``wilson``, ``bootstrap``, or ``normal``, which takes the bootstrap's place where there are many clusters."""


def mean_interval(values: Floats, clusters: Clusters | None = None, *, seed: int = 0) -> Mean:
    """The mean of ``values``, (n,) without NaN, and its interval; ``clusters``: (n,), to which each belongs.

    Raises ValueError if there are no values.
    """
    n = len(values)
    if n == 0:
        raise ValueError("no values")
    sums, sizes = totals(values, clusters)
    mean, count = float(values.mean()), len(sums)
    shares = bool((values >= 0).all() and (values <= 1).all())
    alike = bool((values == values[0]).all())
    # Values that are all alike show no spread; as shares of so many clusters they have the widest that they could have.
    if shares and (alike or (count == n and is_binary(values))):
        return Mean(mean, *wilson(mean, count), n, count, "wilson")
    if alike or count == 1:
        return Mean(mean, math.nan, math.nan, n, count, "bootstrap")
    low, high = resampled(sums, sizes, seed)
    if shares:
        # Where nearly all are right, the normal approximation would go beyond all.
        low, high = max(0.0, low), min(1.0, high)
    method = "bootstrap" if count < MANY_CLUSTERS else "normal"
    return Mean(mean, low, high, n, count, method)


def is_binary(values: Floats) -> bool:
    """Whether all are 0 or 1."""
    return bool(((values == 0) | (values == 1)).all())


def totals(values: Floats, clusters: Clusters | None) -> tuple[Floats, Floats]:
    """Sum and number of the values of each cluster; each value by itself without clusters."""
    if clusters is None:
        return values, np.ones(len(values))
    if isinstance(clusters, np.ndarray):
        _, places = np.unique(clusters, return_inverse=True)
    else:
        # Not NumPy's unique: it sorts, which takes a tenth of a second for 100,000 texts.
        numbers = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
        places = np.fromiter((numbers[name] for name in clusters), dtype=np.int_, count=len(clusters))
    return np.bincount(places, values).astype(float), np.bincount(places).astype(float)


def resampled(sums: Floats, sizes: Floats, seed: int) -> tuple[float, float]:
    """The interval of the mean of two or more clusters that differ, of which ``sums`` and ``sizes`` are known."""
    from scipy.special import ndtr, stdtrit  # Not for every page; scipy.stats would take half a second.

    count = len(sums)
    quantile = float(stdtrit(count - 1, (1 + LEVEL) / 2))
    if count >= MANY_CLUSTERS:
        mean = sums.sum() / sizes.sum()
        # Of a ratio of sums: clusters of unequal size change both.
        error = math.sqrt(((sums - mean * sizes) ** 2).sum() * count / (count - 1)) / sizes.sum()
        return float(mean - quantile * error), float(mean + quantile * error)
    times = _draws(count, seed)
    # Clusters of one value each are as many values in every draw.
    means = (times @ sums) / (times @ sizes if (sizes != 1).any() else count)
    # A bootstrap's spread is that of a sample of n divided by n, not n - 1; Student's quantile does the rest.
    tail = float(ndtr(-quantile * math.sqrt(count / (count - 1))))
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


# The models of a suite are next to each other in a report and have the same number of clusters: drawn once for all.
@lru_cache(maxsize=2)
def _draws(count: int, seed: int) -> Floats:
    """(BOOTSTRAPS, count): how often each of so many clusters comes where as many are drawn, with repeats."""
    drawn = np.random.default_rng(seed).integers(0, count, (BOOTSTRAPS, count))
    places = drawn + count * np.arange(BOOTSTRAPS)[:, None]
    return np.bincount(places.ravel(), minlength=BOOTSTRAPS * count).reshape(BOOTSTRAPS, count).astype(float)
