r"""Trust region policy optimisation (Schulman et al. 2015, arXiv:1502.05477): the longest step that changes little.

    g    = gradient of  mean over tokens of  rho A,   A = (r - mean of its group) / (standard deviation + 1e-4)
    F    = Hessian of the mean over tokens of  KL(pi when written || pi), over the whole vocabulary
    x    = (F + damping I)^-1 g,  by conjugate gradients: F is only ever multiplied with a vector
    d    = kl_limit * (share of the groups whose rewards differ)^2
    step = x * sqrt(2 d / x F x),  times 0.8 until the KL that is measured is at most d and the mean of rho A rose; none
           if it never does

An answer is measured against the others to its prompt, as in GRPO, so there is no value model; the way of tuning says
which weights move. The limit of the KL takes the place of a learning rate, and no optimiser keeps moments. The length
of a step does not depend on that of its gradient, so that a round in which one group of four says anything would go as
far as one in which all do, along what is mostly chance. As the gradient, a step is as much shorter as fewer groups say
anything; hence the square, which is not in the original, where all that is seen has an advantage.

Watch: the KL of each step, near its limit; the backtracks: many of them in every round mean that the damping is low.
What goes wrong: rounds without any spread of rewards teach nothing and are passed over; where hardly a group has any,
steps are short, and prompts that are half solved teach faster; a damping so high that F does
not matter makes it gradient ascent with a measured length, which is gentle, too.

    python -m jobs.training.trpo --model static/models/tiny-chat --tuning lora \
        --data static/samples/sums-prompts.jsonl --out /tmp/trpo

spec -> model -> prompts -> answers before -> write, score, step -> answers after -> save
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from peft import PeftModel
from trl.trainer.utils import disable_dropout_in_model

from jobs.training import alone, rollouts
from jobs.training.answer_rewards import answer_rewards
from jobs.training.course import Course
from jobs.training.groups import Groups
from jobs.training.loading import load_model, needs_checkpointing, with_adapter
from jobs.training.loop import Values
from jobs.training.rounds import Answer, Sampler, batches
from jobs.training.writing import opened, predicted
from studio_core.methods.rollouts import rewards_of
from studio_core.methods.trpo import TRPOOptions

_SHORTER = 0.8
"""What a step that went too far is multiplied with (as in the original)."""

Vector = torch.Tensor
"""A number for each weight that learns, ``(weights,)``."""


def group_advantages(rewards: Sequence[float | None], size: int) -> list[float]:
    """By how much each answer is better than the others of its group; 0 of one that no reward could judge."""
    better: list[float] = []
    for start in range(0, len(rewards), size):
        group = rewards[start : start + size]
        known = [reward for reward in group if reward is not None]
        spread = stdev(known) if len(known) > 1 else 0.0
        middle = fmean(known) if known else 0.0
        better += [0.0 if reward is None else (reward - middle) / (spread + 1e-4) for reward in group]
    return better


def telling_share(rewards: Sequence[float | None], size: int) -> float:
    """Of the groups those that tell anything better from anything worse."""
    groups = [{*group} - {None} for group in batches(rewards, size)]
    return sum(len(group) > 1 for group in groups) / len(groups)


def conjugate_gradients(product: Callable[[Vector], Vector], wanted: Vector, iterations: int) -> Vector:
    """``x`` with ``product(x) = wanted``, nearly (Hestenes and Stiefel 1952); the product's matrix is positive."""
    x, rest = torch.zeros_like(wanted), wanted.clone()
    direction, left = rest.clone(), rest.dot(rest)
    for _ in range(iterations):
        if left < 1e-20:  # Below what 32 bits tell from 0, beside gradients of about 1.
            break
        bent = product(direction)
        far = left / direction.dot(bent)
        x += far * direction
        rest -= far * bent
        now = rest.dot(rest)
        direction = rest + now / left * direction
        left = now
    return x


@dataclass
class Some:
    """Answers of one batch: what they are worth, and what the model said when it wrote them."""

    answers: Sequence[Answer]
    advantages: torch.Tensor
    """``(tokens,)``"""
    before: torch.Tensor
    """Log-probabilities, ``(tokens, vocabulary)``."""
    tokens: torch.Tensor


class TRPO:
    def __init__(self, course: Course[TRPOOptions], model: Any, sampler: Sampler) -> None:
        self.course, self.options, self.sampler = course, course.options, sampler
        self.policy = opened(course, model)
        self.groups = Groups(rewards_of(course.run.spec), course.options.num_generations)
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]

    def step(self, number: int) -> Values:
        """One round: write, score, and the step that this makes worth while."""
        answers = self.sampler.answers(self.sampler.rows_of_round(number), number)
        size = self.options.num_generations
        worth = [answer.worth for answer in answers]
        better = group_advantages(worth, size)
        self.sampler.keep(answers, better, number)
        shares = self.groups.shares([answer.reward for answer in answers])
        values = {**self.sampler.watched(answers), **shares}
        values["tokens"] = float(sum(len(answer.ids) for answer in answers))
        together = [
            *map(
                self.seen, batches(answers, self.options.batch_size), batches(better, self.options.batch_size)
            )
        ]
        entropies = torch.cat([-(some.before.exp() * some.before).sum(-1) for some in together])
        limit = self.options.kl_limit * telling_share(worth, size) ** 2
        return {**values, "entropy": float(entropies.mean()), **self.moved(together, limit)}

    @torch.no_grad()
    def seen(self, answers: Sequence[Answer], better: Sequence[float]) -> Some:
        logprobs, tokens = self.likely(answers)
        each = [value for answer, value in zip(answers, better, strict=True) for _ in answer.tokens]
        return Some(answers, logprobs.new_tensor(each), logprobs, tokens)

    def moved(self, together: list[Some], limit: float) -> dict[str, float]:
        """Take the step, whose KL is at most ``limit``; what it was like. Without advantages nothing moves."""
        start = self.gradient(together)
        told = {
            "grad_norm": float(start.norm()),
            "kl": 0.0,
            "backtracks": 0.0,
            "learning_rate": 0.0,
            "loss": 0.0,
        }
        if not start.any():
            return told
        few = self.few(together)
        direction = conjugate_gradients(
            lambda vector: self.fisher(few, vector) + self.options.damping * vector,
            start,
            self.options.cg_iterations,
        )
        bend = float(direction.dot(self.fisher(few, direction)))
        if bend <= 0:
            return told
        length = math.sqrt(2 * limit / bend)
        old = [weight.detach().clone() for weight in self.weights]
        was, _ = self.measured(together)
        for shorter in range(self.options.backtracks + 1):
            self.put(old, direction, length * _SHORTER**shorter)
            now, divergence = self.measured(together)
            if divergence <= limit and now > was:
                step = {"kl": divergence, "learning_rate": length * _SHORTER**shorter, "loss": was - now}
                return {**told, **step, "backtracks": float(shorter)}
        self.put(old, direction, 0.0)
        return {**told, "backtracks": float(self.options.backtracks)}

    def likely(self, answers: Sequence[Answer]) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities of what might have come at each token of some answers, and the tokens."""
        with self.course.machine.autocast():
            logits, tokens = predicted(
                self.policy, [answer.ids for answer in answers], [answer.learnt for answer in answers]
            )
        return (logits / self.options.temperature).log_softmax(-1), tokens

    def gradient(self, together: list[Some]) -> Vector:
        """Of what is to rise."""
        total = torch.zeros(sum(weight.numel() for weight in self.weights), device=self.weights[0].device)
        for some in together:
            total += self.flat(torch.autograd.grad(self.gain(some), self.weights, allow_unused=True))
        return total / _tokens(together)

    def gain(self, some: Some) -> torch.Tensor:
        """The sum of rho A over the tokens of some answers."""
        now, _ = self.likely(some.answers)
        places = some.tokens[:, None]
        ratio = (now.gather(-1, places) - some.before.gather(-1, places))[:, 0].exp()
        return (ratio * some.advantages).sum()

    def fisher(self, few: list[Some], vector: Vector) -> Vector:
        """F times a vector: the gradient of how the KL's gradient goes along with it."""
        total = torch.zeros_like(vector)
        for some in few:
            now, _ = self.likely(some.answers)
            divergence = (some.before.exp() * (some.before - now)).sum() / _tokens(few)
            slope = self.flat(
                torch.autograd.grad(divergence, self.weights, create_graph=True, allow_unused=True)
            )
            total += self.flat(torch.autograd.grad(slope.dot(vector), self.weights, allow_unused=True))
        return total

    @torch.no_grad()
    def measured(self, together: list[Some]) -> tuple[float, float]:
        """What is to rise, and the KL from what the model said before; both means over all tokens."""
        gains = divergences = 0.0
        for some in together:
            now, _ = self.likely(some.answers)
            places = some.tokens[:, None]
            ratio = (now.gather(-1, places) - some.before.gather(-1, places))[:, 0].exp()
            gains += float((ratio * some.advantages).sum())
            divergences += float((some.before.exp() * (some.before - now)).sum())
        return gains / _tokens(together), divergences / _tokens(together)

    def few(self, together: list[Some]) -> list[Some]:
        """Some of the answers, spread over the round."""
        answers = [answer for some in together for answer in some.answers]
        apart = max(1, len(answers) // self.options.fisher_answers)
        chosen = answers[::apart][: self.options.fisher_answers]
        # At most as many at once as everywhere else: their graphs are the largest.
        return [self.seen(part, [0.0] * len(part)) for part in batches(chosen, self.options.batch_size)]

    @torch.no_grad()
    def put(self, old: list[torch.Tensor], direction: Vector, length: float) -> None:
        """Have the weights be ``length`` along the direction from where they were."""
        parts = direction.split([weight.numel() for weight in self.weights])
        for weight, was, part in zip(self.weights, old, parts, strict=True):
            weight.copy_(was + length * part.view_as(weight) if length else was)

    def flat(self, parts: Sequence[torch.Tensor | None]) -> Vector:
        """A gradient of each weight as one vector; 0 of those that had no part in it."""
        return torch.cat(
            [
                torch.zeros_like(weight).flatten() if part is None else part.flatten()
                for part, weight in zip(parts, self.weights, strict=True)
            ]
        )


def _tokens(together: Sequence[Some]) -> int:
    return sum(len(some.tokens) for some in together)


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, TRPOOptions)
    run, options = course.run, course.options
    model = load_model(run, course.machine, course.team.sharded)
    # The kernels of the other ways to attend have a gradient, but their gradient has none.
    (model.get_base_model() if isinstance(model, PeftModel) else model).set_attn_implementation("eager")
    model = with_adapter(run, options, model)
    disable_dropout_in_model(model)
    course.events.write("phase", phase="preparing")
    data = course.data(rollouts.rows)
    if twice := needs_checkpointing(run, options, data.train, course.machine):
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train(twice)  # Activations are computed twice in this mode only.
    sampler = Sampler(course, model, data, answer_rewards(course))
    trpo = TRPO(course, model, sampler)
    loop = course.loop(model, {}, data, sampler.rounds, trpo.step, sampler.evaluate, twice)
    course.finish(model, loop.step, loop.total_steps)


if __name__ == "__main__":
    alone.run("trpo", main)
