"""How far apart two models are in what they say next."""

from __future__ import annotations

import math

import torch


def divergence(student: torch.Tensor, teacher: torch.Tensor, beta: float) -> torch.Tensor:
    """The generalised Jensen-Shannon divergence of logits ``(tokens, vocabulary)``: nats for each token.

    Equation 1 of arXiv:2306.13649, with the KL itself at both ends, as TRL has it.
    """
    return between(student.log_softmax(-1), teacher.log_softmax(-1), beta)


def between(q: torch.Tensor, p: torch.Tensor, beta: float) -> torch.Tensor:
    """The same of log-probabilities: ``q`` of the student, ``p`` of the teacher."""
    if beta == 0:
        return _kl(p, q)
    if beta == 1:
        return _kl(q, p)
    middle = torch.logaddexp(p + math.log(beta), q + math.log(1 - beta))
    return beta * _kl(p, middle) + (1 - beta) * _kl(q, middle)


def _kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return (p.exp() * (p - q)).sum(-1)
