"""Corrections for several tests, against statsmodels and a published example."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from studio_core.statistics.several import benjamini_hochberg, holm

# Benjamini and Hochberg 1995, section 4.1: fifteen hypotheses on treatments of a heart attack.
PUBLISHED = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
]


def test_the_published_example() -> None:
    assert sum(p < 0.05 for p in holm(PUBLISHED)) == 3
    assert sum(p < 0.05 for p in benjamini_hochberg(PUBLISHED)) == 4


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_they_are_those_of_statsmodels(count: int) -> None:
    p = np.round(np.random.default_rng(count).random(count) ** 3, 2).tolist()
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


def test_no_test_has_no_p_value() -> None:
    assert holm([]) == benjamini_hochberg([]) == []
