"""Intervals of means, against statsmodels, a published example and how often they hold the true mean."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from studio_core.statistics import means
from studio_core.statistics.means import mean_interval

SAMPLES = 1_000
# Three standard errors of 95 % of so many samples.
OFF = 3 * math.sqrt(0.95 * 0.05 / SAMPLES)


def binary(right: int, n: int) -> np.ndarray:
    return np.repeat([1.0, 0.0], [right, n - right])


def test_shares_have_wilsons_interval() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I: 81 of 263.
    published = mean_interval(binary(81, 263))
    assert (round(published.low, 4), round(published.high, 4)) == (0.2553, 0.3662)
    for right, n in ((0, 20), (1, 29), (15, 148), (29, 29)):
        interval = mean_interval(binary(right, n))
        assert interval.method == "wilson" and interval.n == interval.clusters == n
        expected = proportion_confint(right, n, method="wilson")
        assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("clusters", "size"), [(12, 1), (40, 1), (15, 4), (600, 2)])
def test_95_of_100_intervals_hold_the_true_mean(clusters: int, size: int) -> None:
    random = np.random.default_rng(clusters)
    names = np.repeat(np.arange(clusters), size)
    held = 0
    for _ in range(SAMPLES):
        # What is hard about a cluster is as much as what is hard about an item.
        values = random.normal(size=clusters)[names] + random.normal(size=clusters * size)
        interval = mean_interval(values, names)
        held += interval.low <= 0 <= interval.high
    # Of a dozen clusters somewhat fewer: the bootstrap is known for it.
    assert 0.95 - OFF - (0.01 if clusters < 20 else 0) <= held / SAMPLES <= 0.95 + OFF


def test_clusters_make_an_interval_wider_and_alone_do_not() -> None:
    values = binary(30, 60)
    alone = mean_interval(values, [f"q{n}" for n in range(60)])
    assert alone == mean_interval(values)
    together = mean_interval(values, [f"q{n // 6}" for n in range(60)])
    assert together.method == "bootstrap" and together.clusters == 10
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_many_clusters_have_the_interval_that_drawing_them_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    values, names = random.exponential(size=1_800), np.append(np.arange(600), random.integers(0, 600, 1_200))
    normal = mean_interval(values, names)
    monkeypatch.setattr(means, "MANY_CLUSTERS", 10_000)
    drawn = mean_interval(values, names)
    assert (normal.method, drawn.method) == ("normal", "bootstrap")
    width = drawn.high - drawn.low
    assert abs(normal.low - drawn.low) < 0.06 * width and abs(normal.high - drawn.high) < 0.06 * width
    assert mean_interval(values, names) == drawn, "the same values have the same interval"


def test_shares_stay_within_theirs() -> None:
    nearly_all = np.ones(800)
    nearly_all[:2] = 0.0, 0.999
    interval = mean_interval(nearly_all)
    assert interval.method == "normal" and interval.high == 1.0


def test_values_that_are_all_alike_are_not_certain() -> None:
    alike = mean_interval(np.full(20, 0.5))
    assert alike.low < 0.3 and alike.high > 0.7
    three = mean_interval(np.ones(30), np.repeat([0, 1, 2], 10))
    assert three.low < 0.5 and three.high == 1.0, (
        "three texts tell of three, however many questions they have"
    )
    bits = mean_interval(np.array([3.2]))
    assert bits.mean == 3.2 and math.isnan(bits.low) and math.isnan(bits.high)
    with pytest.raises(ValueError, match="no values"):
        mean_interval(np.empty(0))
