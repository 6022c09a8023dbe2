"""The figures against published worked examples and independent implementations."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta
from typing import Any

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from studio_core.base.tables import Annotation
from studio_core.labeling.agreement import agreement, alphas, habits
from studio_core.statistics.ranking import RIDGE, Game, ratings, strengths
from studio_core.statistics.winrate import evidence, wilson, win_rate


@pytest.mark.parametrize(
    ("wins", "losses", "low", "high"),
    # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
    [(81, 182, 0.2553, 0.3662), (15, 133, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 28, 0.0061, 0.1718)],
)
def test_the_interval_is_that_of_newcombes_table(wins: int, losses: int, low: float, high: float) -> None:
    found = win_rate(wins, losses)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 20))
def test_rate_interval_and_test_hold_together(wins: int, losses: int, ties: int) -> None:
    found, turned = win_rate(wins, losses, ties), win_rate(losses, wins, ties)
    assert 0 <= found.low <= found.rate <= found.high <= 1
    assert found.rate == pytest.approx(1 - turned.rate) and found.p_value == turned.p_value
    assert found.p_value == pytest.approx(binomtest(wins, wins + losses).pvalue if wins + losses else 1)
    assert (found.more_needed is None) or not found.separable
    if found.more_needed:
        decided, plain = wins + losses, win_rate(wins, losses).more_needed
        assert plain is not None
        grown = decided + plain
        assert binomtest(round(max(wins, losses) / decided * grown), grown).pvalue < 0.05
        assert abs(found.more_needed - plain * (decided + ties) / decided) <= 1  # Ties tell nothing.


def test_what_is_said_of_a_comparison() -> None:
    assert [win_rate(34, 16).outcome, win_rate(16, 34).outcome, win_rate(12, 8).outcome] == [
        "better",
        "worse",
        "open",
    ]
    assert win_rate(12, 8).more_needed and win_rate(5, 5).more_needed is None
    assert win_rate(0, 0).rate == 0.5 and wilson(0.5, 0) == (0.0, 1.0)


def test_who_looks_after_every_vote_is_seldom_misled() -> None:
    chance = np.random.default_rng(0)
    votes = chance.integers(0, 2, size=(1000, 200)).cumsum(axis=1)
    misled = {"sign test": 0, "any look": 0}
    tells = {(wins, n): win_rate(wins, n - wins) for n in range(1, 201) for wins in range(n + 1)}
    for walk in votes:
        seen = [tells[int(wins), n] for n, wins in enumerate(walk, start=1)]
        misled["sign test"] += any(one.separable for one in seen)
        misled["any look"] += any(one.at_any_look for one in seen)
    assert misled["any look"] <= 50 < 200 < misled["sign test"]


def test_enough_votes_are_enough_at_any_look() -> None:
    # 2**n times the integral of x**wins * (1 - x)**losses: 34 of 50 gives 4.5, 40 of 50 gives 2,150.
    assert evidence(34, 16) == pytest.approx(math.log(2**50 / (51 * math.comb(50, 34))))
    assert win_rate(34, 16).separable and not win_rate(34, 16).at_any_look
    assert win_rate(40, 10).at_any_look and not win_rate(0, 0).at_any_look


def test_alpha_of_krippendorffs_example() -> None:
    """Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section C: nominal, 0.743."""
    rows = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    table = [row.split() for row in rows]
    units = {
        unit: {f"observer {n}": row[unit] for n, row in enumerate(table) if row[unit] != "."}
        for unit in range(12)
    }
    many = {(12 * times + unit,): said for times in range(30) for unit, said in units.items()}
    found = agreement(many)
    # Repeating every unit leaves observed and expected disagreement as they are, but for the finite correction.
    assert found.alpha == pytest.approx(0.743, abs=0.006)
    assert found.alpha_low is not None and found.alpha_low < found.alpha < (found.alpha_high or 0)
    few = {(unit,): said for unit, said in units.items()}
    assert agreement(few) == agreement(few) and agreement(few).alpha is None  # Eleven shared: too few.
    marks = {unit: {name: int(mark) for name, mark in said.items()} for unit, said in many.items()}
    # The same section, ordinal: 0.815.
    assert agreement(marks, level="ordinal").alpha == pytest.approx(0.815, abs=0.006)


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
@given(
    st.lists(st.lists(st.integers(0, 4), min_size=5, max_size=5).filter(lambda row: sum(row) > 1), min_size=2)
)
def test_alphas_drawn_again_are_those_of_the_library(level: Any, table: list[list[int]]) -> None:
    counts = np.array(table)
    met = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(5)
    [ours] = alphas((met / (counts.sum(axis=1)[:, None, None] - 1)).sum(axis=0)[None], level)
    if (counts.sum(axis=0) > 0).sum() < 2:
        assert math.isnan(ours)
    else:
        theirs = krippendorff.alpha(value_counts=counts, value_domain=range(5), level_of_measurement=level)
        assert ours == pytest.approx(theirs, abs=1e-9)


def test_kappa_of_cohens_two_readers() -> None:
    """The table of 50 proposals that is usually worked by hand: 20, 5, 10, 15 give 0.4."""
    pairs = [("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15
    found = agreement({(n,): {"anna": one, "ben": other} for n, (one, other) in enumerate(pairs)})
    assert found.kappas == {"anna / ben": pytest.approx(0.4)} and found.raw == 0.7


def test_near_ratings_count_as_near() -> None:
    """Cohen's weighted kappa worked out: 1 - sum of squared distances / sum of those expected by chance."""
    pairs = [(1, 1), (2, 4), (4, 4), (5, 4), (5, 5)] * 8
    found = agreement({(n,): {"anna": a, "ben": b} for n, (a, b) in enumerate(pairs)}, level="ordinal")
    seen = sum((a - b) ** 2 for a, b in pairs) / len(pairs)
    expected = sum((a - b) ** 2 for a, _ in pairs for _, b in pairs) / len(pairs) ** 2
    assert found.kappas == {"anna / ben": pytest.approx(1 - seen / expected)}
    assert found.raw == 0.6 and found.alpha is not None and found.alpha > 0.6


def test_the_interval_of_rankings_is_over_items_and_not_over_pairs_of_answers() -> None:
    chance = random.Random(1)
    sides = ("first", "second")
    # Three pairs of answers to each item, on all of which two people agree or do not.
    both = [(chance.choice(sides), chance.choice(sides)) for _ in range(60)]
    units = {
        (item, *places): {"anna": one, "ben": other}
        for item, (one, other) in enumerate(both)
        for places in ((0, 1), (0, 2), (1, 2))
    }
    grouped = agreement(units)
    spread = agreement({(n,): said for n, said in enumerate(units.values())})
    assert grouped.items == 60 and spread.items == 180 and grouped.alpha == spread.alpha
    width = (grouped.alpha_high or 0) - (grouped.alpha_low or 0)
    assert width > 1.3 * ((spread.alpha_high or 0) - (spread.alpha_low or 0))


def test_agreement_where_all_say_the_same_is_not_called_perfect() -> None:
    found = agreement({(n,): {"anna": "a", "ben": "a"} for n in range(30)})
    assert found.raw == 1.0 and found.alpha is None and found.kappas == {}


def test_ratings_equal_a_logistic_regression() -> None:
    chance = random.Random(0)
    strength = {"weak": 0.0, "middle": 0.6, "strong": 1.5, "new": 1.0}
    games = []
    for n in range(400):
        one, other = chance.sample(list(strength), 2)
        won = chance.random() < 1 / (1 + math.exp(strength[other] - strength[one]))
        games.append(Game(str(n // 4), one, other, 0.5 if n % 9 == 0 else float(won)))
    names = sorted(strength)
    pairs = np.array([[names.index(game.one), names.index(game.other)] for game in games])
    scores = np.array([game.score for game in games])
    ours, _ = strengths(pairs, scores, np.ones(len(games)), len(names))
    rows = np.eye(len(names))[pairs[:, 0]] - np.eye(len(names))[pairs[:, 1]]
    features, outcomes = np.vstack([rows, rows]), np.repeat([1, 0], len(games))
    weights = np.concatenate([scores, 1 - scores])
    rival = LogisticRegression(C=1 / RIDGE, fit_intercept=False, tol=1e-10, max_iter=2000)
    rival.fit(features, outcomes, sample_weight=weights)
    assert ours == pytest.approx(rival.coef_[0] - rival.coef_[0].mean(), abs=1e-4)
    assert ratings(games)[0].model == "strong"
    assert all(rating.low < rating.rating < rating.high for rating in ratings(games))


def test_five_wins_of_five_are_no_certainty() -> None:
    first, second = ratings([Game(str(n), "new", "old", 1.0) for n in range(5)])
    assert first.model == "new" and first.low < second.high and (first.rank, second.rank) == (1, 1)
    assert ratings([]) == []


def vote(n: int, verdict: str, **given: Any) -> Annotation:
    at = datetime(2026, 1, 1) + timedelta(seconds=12 * n)
    values = {"order": [0, 1], "seconds": 8.0, "repeats_id": None, **given}
    return Annotation(id=n, item_id=n, annotator="anna", verdict=verdict, created_at=at, **values)


def test_habits() -> None:
    lengths = dict.fromkeys(range(1, 9), (11, 5))
    votes = [
        vote(1, "a"),
        vote(2, "a", order=[1, 0]),
        vote(3, "b", seconds=1.0),
        vote(4, "tie"),
        vote(5, "skip", seconds=0.5),
    ]
    votes += [again(6, "a", 1), again(7, "b", 2), again(8, "skip", 3)]
    found = habits(votes, lengths)
    assert found.counts == {"a": 2, "b": 1, "tie": 1, "skip": 1} and found.votes == 5
    assert (found.left_wins.count, found.left_wins.of) == (1, 3)
    assert (found.longer_wins.count, found.longer_wins.of) == (2, 3)
    assert (found.fast.count, found.fast.of) == (1, 4) and found.median_seconds == 8.0
    assert (found.consistent.count, found.consistent.of) == (1, 2)
    assert found.hourly == pytest.approx(300)


def again(n: int, verdict: str, earlier: int) -> Annotation:
    shown = vote(n, verdict, repeats_id=earlier)
    shown.item_id = earlier
    return shown
