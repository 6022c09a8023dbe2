r"""Online DPO (Guo et al. 2024, arXiv:2402.04792): the pairs are the model's own answers, ranked as they are written.

    chosen, rejected = the best and the worst of ``num_generations`` answers to a prompt, by their rewards
    loss = - log sigmoid(beta * ((log pi - log pi_reference)(chosen) - (log pi - log pi_reference)(rejected)))

Pairs of a dataset say what somebody preferred once, mostly of answers that this model would never write. Here both
sides are what it writes now, so that every pair is about a choice that it really has.

Answers that are worth the same are no pair. TRL's experimental trainer takes the first of them for the better one and
learns that at full weight; with rewards of 0 and 1 those are most pairs, and half of the gradient would be noise. They
are left out here and counted (``ties``), one reason why the step is written out; the others are that answers, rewards
and an end in the middle are those of the studio. Each pair weighs alike, however many ties its step has.

Watch: the reward rises and with it the ties, for in the end both answers are right; before, many ties mean prompts
that are too hard or too easy. The margins grow, and the length with them or not.
What goes wrong: rewards that know a few values only, and two answers: take more answers or a graded part; an answer
that no reward could judge has no rank, and is in no pair; a beta so low that nothing holds the model back.

    python -m jobs.training.online_dpo --model static/models/tiny-chat \
        --data static/samples/sums-prompts.jsonl --out /tmp/online-dpo

spec -> model and reference -> prompts -> answers before -> write, rank, compare, step -> answers after -> save
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from jobs.training import alone
from jobs.training.answer_logits import answer_logits
from jobs.training.answer_rewards import answer_rewards
from jobs.training.course import Course
from jobs.training.data import Prepared
from jobs.training.loading import load_model, needs_checkpointing, with_adapter
from jobs.training.loop import Values
from jobs.training.reference import as_before, frozen_copy, plain
from jobs.training.rollouts import rows
from jobs.training.rounds import Answer, Sampler, batches
from jobs.training.writing import opened
from studio_core.methods.online_dpo import OnlineDPOOptions


@dataclass(frozen=True)
class Pair:
    chosen: Answer
    rejected: Answer


class OnlineDPO:
    """A model and what it was, and what passes between them in one step."""

    def __init__(
        self, course: Course[OnlineDPOOptions], model: Any, reference: Any, data: Prepared, sampler: Sampler
    ) -> None:
        self.course, self.options, self.sampler = course, course.options, sampler
        self.model, self.reference = model, reference
        settings = TrainingArguments(**course.arguments(data))
        self.optimiser, self.schedule = course.optimizer(model, settings, sampler.rounds)

    def step(self, number: int) -> Values:
        """Write, rank, compare, and move the weights once."""
        self.model.train()
        answers = self.sampler.answers(self.sampler.rows_of_round(number), number)
        pairs = ranked(answers, self.options.num_generations)
        self.sampler.keep(answers, places(answers, pairs), number)
        values = self.learn([pair for pair in pairs if pair], len(pairs))
        limit = self.options.max_grad_norm or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        rate = self.schedule.get_last_lr()[0]
        self.optimiser.step()  # Without a pair there is no gradient, and nothing moves.
        self.schedule.step()
        self.optimiser.zero_grad()
        return {
            **self.sampler.watched(answers),
            **values,
            "ties": pairs.count(None) / len(pairs),
            "grad_norm": norm.item(),
            "learning_rate": rate,
            "tokens": float(sum(len(answer.ids) for answer in answers)),
        }

    def learn(self, pairs: Sequence[Pair], of: int) -> Values:
        """Gradients of the mean loss over the ``of`` prompts of a step, those without a pair at 0; what is watched."""
        if not pairs:
            return {"loss": 0.0}
        sums: defaultdict[str, float] = defaultdict(float)
        for together in batches(pairs, max(1, self.options.batch_size // 2)):
            with self.course.machine.autocast():
                losses, values = self.losses(together)
            (losses.sum() / of).backward()
            for name, value in values.items():
                sums[name] += value
        tokens = sum(len(pair.chosen.tokens) + len(pair.rejected.tokens) for pair in pairs)
        means = {name: value / len(pairs) for name, value in sums.items()}
        return {**means, **{name: sums[name] / tokens for name in ("kl", "entropy")}}

    def losses(self, pairs: Sequence[Pair]) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of each pair, and sums of what is watched: of the answers' tokens for KL and entropy."""
        answers = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
        texts, learnt = [answer.ids for answer in answers], [answer.learnt for answer in answers]
        with as_before(self.model, self.reference) as base:
            before = answer_logits(opened(self.course, plain(base)), texts, learnt).logps.sum(-1)
        now = answer_logits(opened(self.course, self.model), texts, learnt)
        gained = now.logps.sum(-1) - before
        chosen, rejected = gained.chunk(2)
        losses = preference_loss(chosen - rejected, self.options.beta, self.options.loss)
        scaled = (self.options.beta * gained.detach()).chunk(2)
        return losses, {
            "loss": losses.sum().item(),
            "rewards/chosen": scaled[0].sum().item(),
            "rewards/rejected": scaled[1].sum().item(),
            "rewards/margins": (scaled[0] - scaled[1]).sum().item(),
            "kl": gained.sum().item(),
            "entropy": now.entropy(),
        }


def preference_loss(margins: torch.Tensor, beta: float, kind: str) -> torch.Tensor:
    """Of each pair, by how many nats more than the rejected answer the chosen one has gained on the reference."""
    if kind == "ipo":
        return (margins - 1 / (2 * beta)) ** 2
    return -torch.nn.functional.logsigmoid(beta * margins)


def ranked(answers: Sequence[Answer], size: int) -> list[Pair | None]:
    """The best and the worst answer of each group of ``size``, of equal ones the first; None where all are equal."""
    pairs: list[Pair | None] = []
    for group in batches(answers, size):
        worth = {answer.worth: answer for answer in reversed(group) if answer.worth is not None}
        pairs.append(Pair(worth[max(worth)], worth[min(worth)]) if len(worth) > 1 else None)
    return pairs


def places(answers: Sequence[Answer], pairs: Sequence[Pair | None]) -> list[float]:
    """What became of each answer: 1 is chosen, -1 rejected, 0 not compared."""
    chosen = {id(pair.chosen) for pair in pairs if pair}
    rejected = {id(pair.rejected) for pair in pairs if pair}
    return [float((id(answer) in chosen) - (id(answer) in rejected)) for answer in answers]


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, OnlineDPOOptions)
    run, options = course.run, course.options
    model = load_model(run, course.machine, course.team.sharded)
    reference = frozen_copy(model, course.tuning.whole)
    model = with_adapter(run, options, model)
    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    if twice := needs_checkpointing(run, options, data.train, course.machine):
        model.gradient_checkpointing_enable({"use_reentrant": False})
    sampler = Sampler(course, model, data, answer_rewards(course))
    both = OnlineDPO(course, model, reference, data, sampler)
    parts = {"optimizer": both.optimiser, "schedule": both.schedule}
    loop = course.loop(model, parts, data, sampler.rounds, both.step, sampler.evaluate, twice)
    course.finish(model, loop.step, loop.total_steps)


if __name__ == "__main__":
    alone.run("online-dpo", main)
