r"""Contrastive preference optimisation (Xu et al. 2024, arXiv:2401.08417): DPO without its reference, held by SFT.

    reward(y) = beta * log pi(y | x)
    loss = - log sigmoid(reward(chosen) - reward(rejected)) + sft_weight * SFT loss of chosen

DPO with a reference that finds all answers equally likely. What DPO's reference does, the loss of supervised
fine-tuning on the chosen answers has to do: hold the model to answers that can be read. It needs half of DPO's passes
and no second model. It was made for translations that are all good, one a little better.

Watch: the log-probability of the chosen answers rises, that of the rejected ones falls.
What goes wrong: pairs of very different length, since the reward is a sum over tokens and longer answers start behind
(SimPO takes the mean); no SFT weight, at which both answers may become unlikely.

    python -m jobs.training.cpo --model static/models/tiny-chat \
        --data static/samples/identity-pairs.jsonl --out /tmp/cpo

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
from studio_core.methods.cpo import CPOOptions


def objective(options: CPOOptions) -> Objective:
    """Equations 3 to 5 of the paper; with ``label_smoothing`` that share of pairs counts the other way round."""

    # The sum over an answer, as in DPO: its length counts, which is what SimPO changes.
    def reward(answers: Answers) -> torch.Tensor:
        return options.beta * answers.logps

    def loss(margin: torch.Tensor) -> torch.Tensor:
        right, wrong = -functional.logsigmoid(margin), -functional.logsigmoid(-margin)
        return (1 - options.label_smoothing) * right + options.label_smoothing * wrong

    return Objective(reward, loss, options.sft_weight)


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, CPOOptions)
    carry_out(course, rows, objective(course.options))


if __name__ == "__main__":
    alone.run("cpo", main)
