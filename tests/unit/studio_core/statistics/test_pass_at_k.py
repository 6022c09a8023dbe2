"""pass@k by numbers that can be counted by hand."""

from __future__ import annotations

import pytest

from studio_core.statistics.pass_at_k import pass_at_k, pass_hat_k


@pytest.mark.parametrize(
    ("answers", "right", "k", "chance"),
    [
        (1, 1, 1, 1.0),
        (1, 0, 1, 0.0),
        (10, 3, 1, 0.3),  # One answer: the share of right ones.
        (4, 1, 2, 0.5),  # Of six pairs three have the right one.
        (5, 2, 2, 0.7),  # Of ten pairs three have neither.
        (5, 4, 2, 1.0),  # Two wrong ones there are not.
        (200, 0, 100, 0.0),
    ],
)
def test_it_counts_choices(answers: int, right: int, k: int, chance: float) -> None:
    assert pass_at_k(answers, right, k) == pytest.approx(chance)


@pytest.mark.parametrize(
    ("answers", "right", "k", "chance"),
    [
        (10, 3, 1, 0.3),
        (4, 3, 2, 0.5),  # Of six pairs three are right in both.
        (4, 1, 2, 0.0),
        (5, 5, 5, 1.0),
    ],
)
def test_all_of_k(answers: int, right: int, k: int, chance: float) -> None:
    assert pass_hat_k(answers, right, k) == pytest.approx(chance)


@pytest.mark.parametrize(("answers", "right", "k"), [(2, 1, 3), (2, 3, 1), (2, 1, 0), (2, -1, 1)])
def test_of_fewer_answers_than_k_nothing_is_known(answers: int, right: int, k: int) -> None:
    with pytest.raises(ValueError, match="pass@"):
        pass_at_k(answers, right, k)
    with pytest.raises(ValueError, match="pass@"):
        pass_hat_k(answers, right, k)
