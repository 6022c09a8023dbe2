"""Reward models read together, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.generation.ensemble import correlation, standardised, together


def test_one_model_speaks_on_its_own_scale() -> None:
    [score] = together(np.array([[7.5]]))
    assert (score.value, score.disagreement) == (7.5, 0.0)
    assert [score.value for score in together(np.array([[3.0, 1e6]]), penalty=0.0)] == [3.0, 1e6]


def test_models_count_alike_whatever_their_scales() -> None:
    narrow, wide = np.array([1.0, 2.0, 3.0]), np.array([900.0, 500.0, 100.0])
    scores = together(np.stack([narrow, wide]))
    # One says the opposite of the other: as they are, the wide one would decide.
    assert [score.value for score in scores] == pytest.approx([0.0, 0.0, 0.0])
    assert scores[0].disagreement == pytest.approx(np.sqrt(3 / 2)) and scores[1].disagreement == 0.0
    assert correlation(np.stack([narrow, wide])) == pytest.approx(-1.0)


def test_a_scale_of_its_own_is_no_disagreement() -> None:
    own = np.array([0.1, 0.5, -2.0, 4.0])
    table = np.stack([own, 10 * own + 3, 0.01 * own - 7])
    assert all(score.disagreement == pytest.approx(0.0, abs=1e-9) for score in together(table))
    assert correlation(table) == pytest.approx(1.0)


def test_disagreement_costs() -> None:
    table = np.array([[1.0, 3.0, 2.0, 0.0], [2.0, 0.0, 3.0, 1.0]])
    free, dear = together(table), together(table, penalty=2.0)
    for one, other in zip(free, dear, strict=True):
        assert other.value == pytest.approx(one.value - 2 * one.disagreement)
        assert other.disagreement == one.disagreement


def test_a_model_that_says_the_same_of_all_says_nothing() -> None:
    table = np.array([[0.1 + 0.2, 0.3, 0.3], [1.0, 2.0, 3.0]])
    assert standardised(table)[0].tolist() == [0.0, 0.0, 0.0]
    assert np.isfinite([score.value for score in together(table)]).all()
