"""Every term of PPO against a computation by hand."""

from __future__ import annotations

import math

import pytest
import torch

from jobs.training.ppo import KLCoefficient, Look, advantages, policy_losses, value_losses, whitened
from jobs.training.rounds import Answer

ANSWER = Answer({"prompt_ids": [1, 2]}, [3, 4, 5], "", True, {}, 1.0)


def look(**given: torch.Tensor) -> Look:
    nothing = torch.zeros(3)
    fields = ("logprobs", "values", "drift", "advantages", "returns")
    return Look(ANSWER, **{**dict.fromkeys(fields, nothing), **given})


def test_advantages_of_the_worked_example() -> None:
    better = advantages([0.0, 0.0, 1.0], [0.5, 0.6, 0.7], gamma=1.0, gae_lambda=0.95)
    assert better == pytest.approx([0.46575, 0.385, 0.3])
    returns = [a + v for a, v in zip(better, [0.5, 0.6, 0.7], strict=True)]
    assert returns == pytest.approx([0.96575, 0.985, 1.0])


def test_with_lambda_1_every_token_is_worth_what_the_answer_was_worth_beyond_its_value() -> None:
    assert advantages([0.0, 0.0, 1.0], [0.5, 0.6, 0.7], 1.0, 1.0) == pytest.approx([0.5, 0.4, 0.3])
    assert advantages([0.0, 0.0, 1.0], [0.0, 0.0, 0.0], 1.0, 1.0) == [1.0, 1.0, 1.0]


def test_below_it_a_value_model_that_expects_nothing_makes_early_tokens_look_worse() -> None:
    """The length dip: those of a long answer get less than those of a short one for the same reward."""
    long, short = (advantages([*[0.0] * (n - 1), 1.0], [0.0] * n, 1.0, 0.95) for n in (20, 5))
    assert long[0] == pytest.approx(0.95**19) and short[0] == pytest.approx(0.95**4)
    assert sum(long) / 20 < sum(short) / 5


def test_gamma_discounts_what_comes_later() -> None:
    assert advantages([0.0, 0.0, 1.0], [0.0, 0.0, 0.0], 0.5, 1.0) == pytest.approx([0.25, 0.5, 1.0])


def test_whitened_values_have_mean_0_and_spread_1() -> None:
    values = whitened(torch.tensor([1.0, 2.0, 3.0]))
    assert values.tolist() == pytest.approx([-math.sqrt(1.5), 0.0, math.sqrt(1.5)])
    assert whitened(torch.tensor([2.0, 2.0])).tolist() == [0.0, 0.0]


def test_a_ratio_is_clipped_where_it_went_far_enough_already() -> None:
    before = torch.zeros(4)
    now = torch.tensor([1.5, 1.5, 0.5, 0.5]).log().requires_grad_()
    losses, clipped = policy_losses(now, before, torch.tensor([2.0, -2.0, 2.0, -2.0]), 0.2)
    # Better and likelier enough, worse and yet likelier, better and yet rarer, worse and rare enough.
    assert losses.tolist() == pytest.approx([-2.4, 3.0, -1.0, 1.6])
    assert clipped.tolist() == [True, False, False, True]
    losses.sum().backward()
    assert now.grad is not None and [bool(value) for value in now.grad] == [False, True, True, False]


def test_a_value_moves_no_further_than_its_clip() -> None:
    before, returns = torch.tensor([0.0, 0.0, 0.0]), torch.tensor([1.0, 1.0, 1.0])
    losses, clipped = value_losses(torch.tensor([0.1, 0.5, -0.5]), before, returns, 0.2)
    assert losses.tolist() == pytest.approx([0.405, 0.32, 1.125])
    assert clipped.tolist() == [False, True, False]


def test_the_coefficient_is_moved_towards_its_target() -> None:
    kl = KLCoefficient(0.1, 0.5, 640)
    kl.move(5.0, 32)  # Ten times the target counts as a fifth above it.
    assert kl.value == pytest.approx(0.1 * (1 + 0.2 * 32 / 640))
    kl.move(0.45, 64)
    assert kl.value == pytest.approx(0.101 * (1 - 0.1 * 64 / 640))
    again = KLCoefficient(0.1, 0.5, 640)
    again.load_state_dict(kl.state_dict())
    assert again.value == kl.value
    fixed = KLCoefficient(0.1, 0.0, 640)
    fixed.move(5.0, 32)
    assert fixed.value == 0.1


def test_the_divergence_of_an_answer_is_a_sum_over_its_tokens_and_never_negative() -> None:
    drift = torch.tensor([0.1, -0.2, 0.0])
    expected = sum(math.exp(-away) - 1 + away for away in drift.tolist())
    assert look(drift=drift).divergence == pytest.approx(expected, rel=1e-4) and expected > 0
    assert look().divergence == 0
