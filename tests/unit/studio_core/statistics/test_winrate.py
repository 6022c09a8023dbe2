"""The p-value that an interval of a rate implies."""

from __future__ import annotations

import pytest

from studio_core.statistics.winrate import interval_p, sign_test, wilson


def test_it_is_that_of_the_test_which_the_interval_turns_round() -> None:
    assert interval_p(31 / 40, *wilson(31 / 40, 40)) == pytest.approx(sign_test(31, 40), abs=1e-3)
    assert interval_p(0.5, 0.4, 0.6) == pytest.approx(1.0)
    # Where an end of the interval stands on one half, p is what its level leaves.
    assert interval_p(0.6, 0.5, 9 / 13, level=0.9) == pytest.approx(0.1)


@pytest.mark.parametrize(("rate", "low", "high"), [(1.0, 0.9, 1.0), (0.0, 0.0, 0.1), (0.5, 0.5, 0.5)])
def test_of_no_width_or_no_end_there_is_none(rate: float, low: float, high: float) -> None:
    assert interval_p(rate, low, high) is None
