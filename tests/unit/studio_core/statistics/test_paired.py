"""Paired tests, against statsmodels, SciPy and published examples; how often they see what is there and what is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import permutation_test
from statsmodels.stats.contingency_tables import mcnemar

from studio_core.statistics.paired import Comparison, compare, sign_flip

NULL_PAIRS = 2_000
# Three standard errors of 5 % of so many.
OFF = 3 * math.sqrt(0.05 * 0.95 / NULL_PAIRS)


def pairs(both: int, lost: int, won: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Right and wrong before and after, by how many items had which."""
    counts = [both, lost, won, neither]
    return np.repeat([1.0, 1.0, 0.0, 0.0], counts), np.repeat([1.0, 0.0, 1.0, 0.0], counts)


@pytest.mark.parametrize("counts", [(794, 150, 86, 570), (10, 0, 6, 4), (3, 4, 4, 9), (0, 0, 0, 5)])
def test_right_and_wrong_by_mcnemars_exact_test(counts: tuple[int, int, int, int]) -> None:
    both, lost, won, neither = counts
    comparison = compare(*pairs(*counts))
    assert comparison.test == "mcnemar"
    assert comparison.p == pytest.approx(mcnemar([[both, lost], [won, neither]], exact=True).pvalue)
    assert (comparison.won, comparison.lost, comparison.same) == (won, lost, both + neither)
    assert comparison.low <= comparison.difference <= comparison.high


def test_fishers_plants() -> None:
    """Fisher 1935, "The Design of Experiments", section 21: 1,726 of 32,768 signs of Darwin's plants go as far."""
    heights = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=float)
    assert sign_flip(heights) == 1726 / 32768


def test_signs_that_are_drawn_tell_what_scipy_tells() -> None:
    changes = np.random.default_rng(5).normal(0.25, 1, 40)
    expected = permutation_test(
        (changes,), np.sum, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(0)
    )
    # Two drawings of some thousand signs each.
    assert sign_flip(changes) == pytest.approx(expected.pvalue, abs=0.02)
    many = np.tile(changes, 15)  # 600: by the normal approximation.
    z = abs(many.sum()) / math.sqrt((many**2).sum())
    assert sign_flip(many) == pytest.approx(math.erfc(z / math.sqrt(2)))


def alarms(kind: str, random: np.random.Generator) -> int:
    """Whether two models that are alike are told apart."""
    if kind == "shares":
        comparison = compare(*(random.random((2, 80)) < 0.5).astype(float))
    elif kind == "few":
        comparison = compare(*random.normal(size=(2, 9)))
    elif kind == "scores":
        comparison = compare(*random.exponential(size=(2, 20)))
    elif kind == "clusters":
        names = np.repeat(np.arange(20), 3)
        shared = random.normal(size=(2, 20))[:, names]
        comparison = compare(*(random.normal(size=(2, 60)) + shared), names)
    else:
        comparison = compare(*random.exponential(size=(2, 600)))
    return comparison.p < 0.05


@pytest.mark.parametrize("kind", ["shares", "few", "scores", "clusters", "many"])
def test_models_that_are_alike_are_told_apart_in_5_of_100(kind: str) -> None:
    random = np.random.default_rng(7)
    rate = sum(alarms(kind, random) for _ in range(NULL_PAIRS)) / NULL_PAIRS
    # Counts come in steps: an exact test of them is a little below its level, never above.
    assert rate <= 0.05 + OFF
    assert rate >= (0.02 if kind == "shares" else 0.05 - OFF)


def test_clusters_that_are_taken_for_items_would_cry_wolf() -> None:
    random = np.random.default_rng(8)
    names = np.repeat(np.arange(20), 6)
    shared = random.normal(size=(100, 2, 20))[:, :, names]
    assert sum(compare(*pair).p < 0.05 for pair in shared) > 30


def test_95_of_100_intervals_hold_the_true_difference() -> None:
    random = np.random.default_rng(9)
    held = shares = 0
    for _ in range(1_000):
        before = random.random(100) < 0.6
        after = np.where(random.random(100) < 0.25, random.random(100) < 0.8, before)
        comparison = compare(before.astype(float), after.astype(float))
        shares += comparison.low <= 0.25 * 0.2 <= comparison.high
        values = random.gamma(2.0, size=30)
        comparison = compare(values, values + random.normal(0.5, 1, 30))
        held += comparison.low <= 0.5 <= comparison.high
    assert 0.93 <= shares / 1_000 <= 0.975
    assert 0.93 <= held / 1_000 <= 0.975


def test_the_items_needed_tell_the_difference_four_times_of_five() -> None:
    small = compare(*pairs(40, 6, 13, 41))
    assert small.direction() == "unknown"
    more = small.more_needed()
    assert more is not None
    n = small.n + more
    random = np.random.default_rng(10)
    kinds = random.multinomial(n, [0.40, 0.06, 0.13, 0.41], 400)
    power = sum(compare(*pairs(*counts)).p < 0.05 for counts in kinds) / 400
    # Three standard errors; the exact test is a little less keen than the approximation.
    assert 0.7 <= power <= 0.86
    strict = small.more_needed(comparisons=10)
    assert strict is not None and strict > more, "several comparisons at once need more"


def test_clusters_count_in_what_is_needed() -> None:
    random = np.random.default_rng(11)
    names = np.repeat(np.arange(30), 5)
    before = random.normal(size=150)
    after = before + 0.15 + random.normal(size=30)[names]
    alone, together = compare(before, after).more_needed(), compare(before, after, names).more_needed()
    assert alone is not None and together is not None and together > 3 * alone


def directions(**more: bool) -> list[str]:
    cases = [pairs(50, 2, 20, 28), pairs(50, 20, 2, 28), pairs(400, 2, 3, 600), pairs(8, 1, 2, 9)]
    return [compare(*case, **more).direction() for case in cases]


def test_a_direction_is_said_only_where_there_is_enough_to_tell() -> None:
    assert directions() == ["better", "worse", "same", "unknown"]
    assert directions(higher_is_better=False) == ["worse", "better", "same", "unknown"]
    clear = compare(*pairs(50, 2, 20, 28))
    assert clear.direction(p=0.2) == "unknown", "corrected, it may not be"


def test_items_that_are_all_alike_are_no_proof() -> None:
    few, many = (compare(np.full(n, 0.5), np.full(n, 0.5)) for n in (20, 200))
    assert few.p == many.p == 1.0
    assert (few.direction(), many.direction()) == ("unknown", "same")
    assert few.more_needed() is None


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="2 values before, 3 after"):
        compare(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="missing"):
        compare(np.array([np.nan, 1.0]), np.zeros(2))
    nothing = compare(np.empty(0), np.empty(0))
    assert isinstance(nothing, Comparison) and nothing.direction() == "unknown" and nothing.n == 0
