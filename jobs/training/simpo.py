r"""SimPO (Meng et al. 2024, arXiv:2405.14734): the chosen answer is to be likelier per token, by a margin.

    reward(y) = beta * log pi(y | x) / tokens of y
    loss = - log sigmoid(reward(chosen) - reward(rejected) - gamma),  gamma = margin_ratio * beta

What is rewarded is what a model goes by when it writes: how likely it finds an answer, token by token. There is no
reference, so it needs half of DPO's passes and no second model; and nothing but a low rate holds it to what it was.
``sft_weight`` adds the loss of supervised fine-tuning on the chosen answers (CPO-SimPO).

Watch: the margin of the rewards comes to gamma and a little beyond, and stays: a margin that keeps growing is a rate
too high. The log-probability of the chosen answers should not fall far.
What goes wrong: a rate of DPO's LoRA or higher, at which answers repeat one word ("Deep Deep Deep"); a beta of DPO's
size, at which the loss hardly changes.

    python -m jobs.training.simpo --model static/models/tiny-chat \
        --data static/samples/identity-pairs.jsonl --out /tmp/simpo

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
from studio_core.methods.simpo import SimPOOptions


def objective(options: SimPOOptions) -> Objective:
    """Equation 6 of the paper."""
    beta, gamma = options.beta, options.margin_ratio * options.beta

    def reward(answers: Answers) -> torch.Tensor:
        return beta * answers.per_token

    # Without the margin a pair is at peace as soon as it is ranked right, and the loss stops there.
    def loss(margin: torch.Tensor) -> torch.Tensor:
        return -functional.logsigmoid(margin - gamma)

    return Objective(reward, loss, options.sft_weight)


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, SimPOOptions)
    carry_out(course, rows, objective(course.options))


if __name__ == "__main__":
    alone.run("simpo", main)
