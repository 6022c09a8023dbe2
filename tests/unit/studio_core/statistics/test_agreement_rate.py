"""How often two said the same."""

from __future__ import annotations

import pytest

from studio_core.statistics.agreement_rate import SHARED, agreement_rate
from studio_core.statistics.winrate import wilson


def test_a_share_with_its_interval_and_what_chance_agrees_on() -> None:
    # Cohen's table of two by two: 20 and 15 alike, 5 and 10 not. Chance: (25 * 30 + 25 * 20) / 50**2 = 0.5.
    verdicts = [("a", "a")] * 20 + [("b", "b")] * 15 + [("a", "b")] * 5 + [("b", "a")] * 10
    agreement = agreement_rate(verdicts)
    assert (agreement.share.count, agreement.share.of, agreement.share.rate) == (35, 50, 0.7)
    assert (agreement.share.low, agreement.share.high) == wilson(0.7, 50)
    assert agreement.kappa == pytest.approx((0.7 - 0.5) / (1 - 0.5))


def test_of_little_and_of_one_word_there_is_no_kappa() -> None:
    assert agreement_rate([("a", "b"), ("a", "a")] * (SHARED // 2 - 1)).kappa is None
    assert agreement_rate([("a", "a")] * SHARED).kappa is None
    nothing = agreement_rate([])
    assert (nothing.share.rate, nothing.share.low, nothing.share.high) == (None, 0, 1)
