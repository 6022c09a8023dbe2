"""Divergences of two models, beside TRL's."""

from __future__ import annotations

import os

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import pytest
import torch
from trl.trainer.distillation_trainer import _chunked_divergence_loss

from jobs.training.divergence import divergence

BETAS = pytest.mark.parametrize("beta", [0.0, 0.3, 0.5, 1.0])


@BETAS
def test_loss_and_gradient_of_a_batch_are_those_of_trl(beta: float) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(2, 5, 8, requires_grad=True)
    taught, head, other = torch.randn(2, 5, 6), torch.randn(11, 8), torch.randn(11, 6)
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    theirs, _, tokens = _chunked_divergence_loss(hidden, taught, head, other, mask, beta, temperature=0.7)
    [their_gradient] = torch.autograd.grad(theirs, hidden)
    chosen = mask.bool()
    each = divergence(hidden[chosen] @ head.T / 0.7, taught[chosen] @ other.T / 0.7, beta)
    assert each.shape == (tokens,)
    torch.testing.assert_close(each.mean(), theirs)
    [gradient] = torch.autograd.grad(each.mean(), hidden)
    torch.testing.assert_close(gradient, their_gradient)


@BETAS
def test_it_is_nothing_between_equals_and_positive_else(beta: float) -> None:
    torch.manual_seed(0)
    one, other = torch.randn(2, 4, 9)
    torch.testing.assert_close(divergence(one, one, beta), torch.zeros(4))
    assert (divergence(one, other, beta) > 0).all()


def test_its_ends_are_forward_and_reverse_kl_by_hand() -> None:
    student, teacher = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()
    # 0.9 ln(0.9 / 0.5) + 0.1 ln(0.1 / 0.5), and 0.5 ln(0.5 / 0.9) + 0.5 ln(0.5 / 0.1)
    assert divergence(student, teacher, 0.0).item() == pytest.approx(0.368064, abs=1e-5)
    assert divergence(student, teacher, 1.0).item() == pytest.approx(0.510826, abs=1e-5)
