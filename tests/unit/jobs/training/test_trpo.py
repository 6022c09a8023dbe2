"""The parts of TRPO against computations by hand."""

from __future__ import annotations

import pytest
import torch

from jobs.training.trpo import conjugate_gradients, group_advantages, telling_share


def test_an_answer_is_measured_against_its_group() -> None:
    spread = 0.5**0.5
    expected = [0.5 / (spread + 1e-4), -0.5 / (spread + 1e-4), 0.0, 0.0]
    assert group_advantages([1.0, 0.0, 1.0, 1.0], 2) == pytest.approx(expected)


def test_what_no_reward_could_judge_moves_nothing() -> None:
    assert group_advantages([None, 1.0, None, None], 2) == [0.0, 0.0, 0.0, 0.0]
    assert group_advantages([None, 1.0, 0.0], 3)[0] == 0.0


def test_groups_that_are_all_alike_or_not_judged_tell_nothing() -> None:
    rewards = [1.0, 0.0, 1.0, 1.0, None, 0.0, 0.3, 0.2]
    assert telling_share(rewards, 2) == 0.5
    assert telling_share([0.1] * 6, 3) == 0.0  # Their mean is not 0.1 to the last bit.


def test_conjugate_gradients_solve_a_system_in_as_many_steps_as_it_has_unknowns() -> None:
    matrix = torch.tensor([[4.0, 1.0], [1.0, 3.0]])
    asked = 0

    def product(vector: torch.Tensor) -> torch.Tensor:
        nonlocal asked
        asked += 1
        return matrix @ vector

    solved = conjugate_gradients(product, torch.tensor([1.0, 2.0]), 10)
    assert solved.tolist() == pytest.approx([1 / 11, 7 / 11])
    assert asked <= 3
    # The worked example's first step: 1/4 of the way along (1, 2).
    assert conjugate_gradients(product, torch.tensor([1.0, 2.0]), 1).tolist() == pytest.approx([0.25, 0.5])
