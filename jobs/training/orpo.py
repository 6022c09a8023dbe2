r"""Odds ratio preference optimisation (Hong et al. 2024, arXiv:2403.07691): SFT and preference in one step.

    p(y) = exp(log pi(y | x) / tokens of y)
    reward(y) = log odds = log(p / (1 - p))
    loss = SFT loss of chosen - odds_weight * log sigmoid(reward(chosen) - reward(rejected))

Mostly supervised fine-tuning, with a small push away from the rejected answers; made to lead from a base model to one
that answers as preferred, without SFT before it. There is no reference and no second model.

Watch: the loss falls as SFT's does; the log odds of chosen answers rise faster than those of rejected ones.
What goes wrong: a rate of SFT's on a model that answers already: it takes the new answers and forgets others; pairs
that are few, since the SFT term learns them by heart.

    python -m jobs.training.orpo --model static/models/tiny-chat \
        --data static/samples/identity-pairs.jsonl --out /tmp/orpo

spec -> model -> data -> trainer -> answers before -> train -> answers after -> save
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional

from jobs.training import alone
from jobs.training.course import Course
from jobs.training.dpo import rows
from jobs.training.reference_free import Answers, Objective, carry_out
from studio_core.methods.orpo import ORPOOptions

_MOST_LIKELY = -1e-6
"""In nats a token: an answer that is certain in 32 bits has infinite odds, whose gradient is no number."""


def objective(options: ORPOOptions) -> Objective:
    """Equations 4, 6 and 7 of the paper. The SFT loss is on the chosen answers, not on their prompts."""

    def reward(answers: Answers) -> torch.Tensor:
        log_p = answers.per_token.clamp(max=_MOST_LIKELY)
        # log(1 - p) from log p: near certainty 1 - exp(log p) would be rounded to 0 in 32 bits.
        return log_p - torch.log(-torch.expm1(log_p))

    def loss(margin: torch.Tensor) -> torch.Tensor:
        return -options.odds_weight * functional.logsigmoid(margin)

    return Objective(reward, loss, sft_weight=1.0)


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, ORPOOptions)
    carry_out(course, rows, objective(course.options))


if __name__ == "__main__":
    alone.run("orpo", main)
