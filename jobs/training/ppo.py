r"""Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347), for answers as Ziegler et al. 2019 have it.

    r_t    = - kl_coef * log(pi / ref)_t,  and what the answer is worth at its last token
    A_t    = delta_t + gamma * lambda * A_(t+1),   delta_t = r_t + gamma * V_(t+1) - V_t,   V = 0 after the end
    R_t    = A_t + V_t
    policy = mean over tokens of  max(- rho A, - A clip(rho, 1 - epsilon, 1 + epsilon)),   rho = pi / pi when written
    value  = half the mean of     max((v - R)^2, (V + clip(v - V, +- value_clip) - R)^2)

Four models: the policy writes, the reference is what it was, the reward model or rewards say what an answer is worth,
the value model expects that at each token, and so says which token was better than expected. What is frozen of them
they share: with LoRA all stand on one base. V_t is read where token t is predicted, before it is known; A is whitened
over the answers of a round, R comes from what A was before. Log-probabilities are those of logits / temperature, as
the answers were drawn; no dropout in any of the four, or the ratio would be noise. Every token of a round weighs the
same, so that long answers weigh more than short ones. The learning rate follows its schedule by rounds.

Watch: the reward, and the length beside it: a value model that expects nothing yet and a lambda below 1 make early
tokens of long answers look bad, and the policy learns brevity until the value model has learnt. By default lambda is 1.
Explained variance: how much of the returns is foreseen; a gap where these are all alike.
What goes wrong: a KL that runs away (a reward that can be had without the skill, or too small a coefficient).

    python -m jobs.training.ppo --model static/models/tiny-chat \
        --data static/samples/sums-prompts.jsonl --out /tmp/ppo

spec -> four models -> prompts -> answers before -> write, score, look, learn -> answers after -> save
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from transformers import TrainingArguments
from trl.trainer.utils import disable_dropout_in_model

from jobs.generation.models import Opened
from jobs.training import alone
from jobs.training.answer_rewards import ModelReward, answer_rewards
from jobs.training.course import Course
from jobs.training.critic import Critic
from jobs.training.data import IGNORED, Count, Prepared, prompt_records, sequences, split
from jobs.training.loading import load_model, needs_checkpointing, with_adapter
from jobs.training.loop import Part, Values, rows_of_step
from jobs.training.reference import as_before, frozen_copy, plain
from jobs.training.rollouts import row_of
from jobs.training.rounds import Answer, Sampler, batches
from jobs.training.writing import opened, predicted
from studio_core.base.errors import BadInput
from studio_core.data.chat_format import ChatFormat
from studio_core.methods.ppo import PPOOptions
from studio_core.runs.spec import RunSpec

LEAST_VARIANCE = 1e-3
"""Of returns; below it they are all alike, and a share of nothing explained would be any number."""


def rows(run: RunSpec, options: PPOOptions, chat: ChatFormat) -> Prepared:
    """Those of ``rollouts.rows``, and the records with their own answers, which are learnt where they are replayed."""
    count = Count()
    both = zip(prompt_records(run, chat), sequences(run, options, chat), strict=True)
    for (record, ids), (_, [made], _) in both:
        labels = [token if learnt else IGNORED for token, learnt in zip(made.ids, made.trained, strict=True)]
        limit = options.max_length
        row = {**row_of(record, ids), "input_ids": made.ids[:limit], "labels": labels[:limit]}
        count.keep(row, len(ids) < limit)
    return split(run, options, count, lambda row: len(row["prompt_ids"]))


def advantages(
    rewards: Sequence[float], values: Sequence[float], gamma: float, gae_lambda: float
) -> list[float]:
    """By how much each token of an answer was better than expected (Schulman et al. 2016, arXiv:1506.02438)."""
    better, after = 0.0, 0.0
    backwards = []
    for reward, value in zip(reversed(rewards), reversed(values), strict=True):
        better = reward + gamma * after - value + gamma * gae_lambda * better
        after = value
        backwards.append(better)
    return backwards[::-1]


def whitened(values: torch.Tensor) -> torch.Tensor:
    """With mean 0 and standard deviation 1; of one value alone there is no spread to divide by."""
    centred = values - values.mean()
    return centred / (centred.std(correction=0) + 1e-8)


def policy_losses(
    now: torch.Tensor, before: torch.Tensor, advantage: torch.Tensor, epsilon: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of each token by its log-probabilities, and whether its ratio is clipped: it moves nothing then."""
    ratio = (now - before).exp()
    plain, clipped = -ratio * advantage, -ratio.clamp(1 - epsilon, 1 + epsilon) * advantage
    return torch.maximum(plain, clipped), clipped > plain


def value_losses(
    now: torch.Tensor, before: torch.Tensor, returns: torch.Tensor, clip: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same of values."""
    near = before + (now - before).clamp(-clip, clip)
    plain, clipped = (now - returns) ** 2, (near - returns) ** 2
    return torch.maximum(plain, clipped) / 2, clipped > plain


class KLCoefficient:
    """Fixed, or moved towards a divergence of ``target`` nats a sequence, no faster than ``horizon`` answers allow."""

    def __init__(self, value: float, target: float, horizon: int) -> None:
        self.value, self._target, self._horizon = value, target, horizon

    def move(self, divergence: float, answers: int) -> None:
        if self._target:
            error = min(max(divergence / self._target - 1, -0.2), 0.2)
            self.value *= 1 + error * answers / self._horizon

    def state_dict(self) -> dict[str, float]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.value = state["value"]


@dataclass
class Look:
    """An answer as the models saw it when it was written; all of it a number for each of its tokens."""

    answer: Answer
    logprobs: torch.Tensor
    values: torch.Tensor
    drift: torch.Tensor
    """Of the log-probabilities from those of the reference."""
    advantages: torch.Tensor
    returns: torch.Tensor
    latest: tuple[torch.Tensor, torch.Tensor] | None = None
    """Log-probabilities and entropies in the last update from it."""

    @property
    def divergence(self) -> float:
        """From the reference, nats over the whole answer. This estimate of it is never negative (k3)."""
        return float((torch.expm1(-self.drift) + self.drift).sum())


class PPO:
    """The four models, and what passes between them in one round."""

    def __init__(
        self,
        course: Course[PPOOptions],
        model: Any,
        reference: Any,
        critic: Critic,
        data: Prepared,
        sampler: Sampler,
    ) -> None:
        self.course, self.options, self.data, self.sampler = course, course.options, data, sampler
        self.model, self.reference, self.critic = model, reference, critic
        self.policy: Opened = opened(course, model)
        options, given = course.options, course.arguments(data)
        self.optimiser, self.schedule = course.optimizer(model, TrainingArguments(**given), sampler.rounds)
        # Any way of tuning learns at its own rate; of the value model that is said in so many words.
        slower = TrainingArguments(**{**given, "learning_rate": options.value_learning_rate})
        self.value_optimiser, self.value_schedule = course.optimizer(critic, slower, sampler.rounds)
        self.kl = KLCoefficient(options.kl_coef, options.kl_target, options.kl_horizon)

    @property
    def parts(self) -> dict[str, Part]:
        """What a checkpoint holds besides the policy's weights."""
        own: dict[str, Part] = {
            "optimizer": self.optimiser,
            "schedule": self.schedule,
            "value": self.critic,
            "value_optimizer": self.value_optimiser,
            "value_schedule": self.value_schedule,
            "kl_coefficient": self.kl,
        }
        return own | {one.name: one for one in self.sampler.rewards if isinstance(one, ModelReward)}

    def step(self, number: int) -> Values:
        """One round: write, score, look, and learn ``num_iterations`` times from every minibatch."""
        answers = self.sampler.answers(self.sampler.rows_of_round(number), number)
        # Of an answer that no reward could judge nothing is learnt.
        looks = self.look([answer for answer in answers if answer.reward is not None])
        by_answer = {id(look.answer): float(look.advantages.mean()) for look in looks}
        self.sampler.keep(answers, [by_answer.get(id(answer), 0.0) for answer in answers], number)
        values = {**self.sampler.watched(answers), "learning_rate": self.schedule.get_last_lr()[0]}
        values["tokens"] = float(sum(len(answer.ids) for answer in answers))
        if looks:
            values |= self._watched(looks) | self.learn(looks, number)
            self.tell_tokens(answers, looks)
        self.schedule.step()
        self.value_schedule.step()
        return values

    def tell_tokens(self, answers: list[Answer], looks: list[Look]) -> None:
        """Write down what the round made of the tokens of some answers."""
        by_answer = {id(look.answer): look for look in looks}
        for place, answer in enumerate(answers):
            if (look := by_answer.get(id(answer))) and self.sampler.by_token.wants(place):
                figures = {"advantage": look.advantages.tolist()}
                if look.latest is not None:  # While only the value model learns there is none.
                    now, entropy = look.latest
                    figures |= {"entropy": entropy.tolist(), "ratio": (now - look.logprobs).exp().tolist()}
                self.sampler.by_token.write(place, answer.tokens, figures)

    @torch.no_grad()
    def look(self, answers: list[Answer]) -> list[Look]:
        """How likely each token was, what was expected before it, and by how much it was better."""
        looks = []
        for some in batches(answers, self.options.batch_size):
            ids, learnt = [answer.ids for answer in some], [answer.learnt for answer in some]
            with self.course.machine.autocast():
                now, _ = self.likely(self.policy, ids, learnt)
                drift = now - self.likely_before(ids, learnt) if self.options.kl_coef else now * 0
                expected = self.critic(ids, learnt)
            lengths = [len(answer.tokens) for answer in some]
            split = (part.split(lengths) for part in (now, expected, drift))
            for answer, logprobs, values, away in zip(some, *split, strict=True):
                looks.append(Look(answer, logprobs, values, away, *self.judged(answer, values, away)))
        if self.options.whiten_advantages and looks:
            alike = whitened(torch.cat([look.advantages for look in looks]))
            parts = alike.split([len(look.answer.tokens) for look in looks])
            for look, part in zip(looks, parts, strict=True):
                look.advantages = part
        return looks

    def judged(
        self, answer: Answer, values: torch.Tensor, drift: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Advantages and returns of the tokens of one answer."""
        rewards = -self.kl.value * drift
        rewards[-1] += (answer.worth or 0.0) - (0.0 if answer.ended else self.options.missing_end_penalty)
        gamma, gae_lambda = self.options.gamma, self.options.gae_lambda
        better = values.new_tensor(advantages(rewards.tolist(), values.tolist(), gamma, gae_lambda))
        return better, better + values

    def likely(
        self, model: Opened, ids: list[list[int]], learnt: list[list[bool]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The log-probability of each token that is learnt, and the entropy of what predicts it; both ``(tokens,)``."""
        logits, tokens = predicted(model, ids, learnt)
        logprobs = (logits / self.options.temperature).log_softmax(-1)
        entropy = -(logprobs.exp() * logprobs).sum(-1)
        return logprobs.gather(-1, tokens[:, None])[:, 0], entropy

    def likely_before(self, ids: list[list[int]], learnt: list[list[bool]]) -> torch.Tensor:
        """The same by the reference."""
        with as_before(self.model, self.reference) as before:
            return self.likely(opened(self.course, plain(before)), ids, learnt)[0]

    def learn(self, looks: list[Look], number: int) -> dict[str, float]:
        """Move policy and value model towards what was better than expected; means over all updates of the round."""
        sums: defaultdict[str, list[float]] = defaultdict(list)
        for again in range(self.options.num_iterations):
            order = random.Random(f"{self.course.run.spec.seed}:{number}:{again}").sample(looks, len(looks))
            edges = [
                len(order) * part // self.options.minibatches for part in range(self.options.minibatches + 1)
            ]
            replayed = self.replayed(number)
            for part, (start, end) in enumerate(pairwise(edges)):
                if start == end:
                    continue
                figures = self.move_value(order[start:end])
                if number > self.options.value_warmup:
                    figures |= self.move_policy(order[start:end], replayed[part :: self.options.minibatches])
                for name, value in figures.items():
                    sums[name].append(value)
        return {name: fmean(values) for name, values in sums.items()}

    def move_policy(self, looks: list[Look], replayed: list[dict[str, Any]]) -> dict[str, float]:
        """One update of the policy; every token that is learnt weighs the same, written or replayed."""
        written = sum(len(look.answer.tokens) for look in looks)
        repeated = sum(label != IGNORED for row in replayed for label in row["labels"])
        sums: defaultdict[str, float] = defaultdict(float)
        for some in batches(looks, self.options.batch_size):
            with self.course.machine.autocast():
                now, entropy = self.likely(self.policy, *_texts(some))
            losses, clipped = policy_losses(
                now, _all(some, "logprobs"), _all(some, "advantages"), self.options.epsilon
            )
            (losses.sum() / (written + repeated)).backward()
            lengths = [len(look.answer.tokens) for look in some]
            latest = zip(now.detach().split(lengths), entropy.detach().split(lengths), strict=True)
            for look, seen in zip(some, latest, strict=True):
                look.latest = seen
            sums["loss"] += losses.sum().item() / written
            sums["clip_ratio/region_mean"] += clipped.sum().item() / written
            sums["entropy"] += entropy.sum().item() / written
        for start in range(0, len(replayed), self.options.batch_size):
            rows = replayed[start : start + self.options.batch_size]
            learnt = [[label != IGNORED for label in row["labels"]] for row in rows]
            with self.course.machine.autocast():
                logits, tokens = predicted(self.policy, [row["input_ids"] for row in rows], learnt)
            loss = torch.nn.functional.cross_entropy(logits, tokens, reduction="sum")
            (loss / (written + repeated)).backward()
            sums["replay_loss"] += loss.item() / repeated
        return {**sums, "grad_norm": self._stepped(self.model, self.optimiser)}

    def move_value(self, looks: list[Look]) -> dict[str, float]:
        """One update of the value model."""
        tokens = sum(len(look.answer.tokens) for look in looks)
        sums: defaultdict[str, float] = defaultdict(float)
        for some in batches(looks, self.options.batch_size):
            with self.course.machine.autocast():
                now = self.critic(*_texts(some))
            losses, clipped = value_losses(
                now, _all(some, "values"), _all(some, "returns"), self.options.value_clip
            )
            (losses.sum() / tokens).backward()
            sums["value_loss"] += losses.sum().item() / tokens
            sums["clip_ratio/value"] += clipped.sum().item() / tokens
        return {**sums, "value_grad_norm": self._stepped(self.critic, self.value_optimiser)}

    def _stepped(self, model: torch.nn.Module, optimiser: torch.optim.Optimizer) -> float:
        """Move the weights, each net by its own gradient's norm: one must not hold the other back."""
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), self.options.max_grad_norm or math.inf)
        optimiser.step()
        optimiser.zero_grad()
        return float(norm)

    def replayed(self, number: int) -> list[dict[str, Any]]:
        """The rows of the replay dataset that are learnt in a round."""
        if not self.data.replayed:
            return []
        first, seed = len(self.data.train) - self.data.replayed, self.course.run.spec.seed
        size = max(1, self.options.replayed(self.options.effective_batch))
        chosen = rows_of_step(number, self.data.replayed, size, seed)
        return list(self.data.train.select([first + place for place in chosen]).to_list())

    def _watched(self, looks: list[Look]) -> dict[str, float]:
        """What the models said of the answers before anything was learnt from them; moves the KL coefficient."""
        returns = _all(looks, "returns")
        spread = float(returns.var(correction=0))
        missed = float((returns - _all(looks, "values")).var(correction=0))
        values = {"explained_variance": 1 - missed / spread if spread >= LEAST_VARIANCE else math.nan}
        if self.options.kl_coef:
            divergence = fmean(look.divergence for look in looks)
            values |= {"sequence_kl": divergence, "kl_coef": self.kl.value}
            self.kl.move(divergence, len(looks))
        return values


def _texts(looks: Sequence[Look]) -> tuple[list[list[int]], list[list[bool]]]:
    return [look.answer.ids for look in looks], [look.answer.learnt for look in looks]


def _all(looks: Sequence[Look], name: str) -> torch.Tensor:
    """What was seen of all their tokens, one answer behind the other, ``(tokens,)``."""
    return torch.cat([getattr(look, name) for look in looks])


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, PPOOptions)
    run, options = course.run, course.options
    model = load_model(run, course.machine, course.team.sharded)
    reference = frozen_copy(model, course.tuning.whole) if options.kl_coef else None
    model = with_adapter(run, options, model)
    # Its clip of values and its KL coefficient are in units of the reward, so that scores of models need one.
    rewards = answer_rewards(course, standardised=True)
    scorer = next((reward.model for reward in rewards if isinstance(reward, ModelReward)), None)
    if options.value_start == "reward":
        if scorer is None:
            raise BadInput("methods.ppo.no_reward_model")
        critic = Critic.like_reward_model(course, scorer)
    else:
        critic = Critic.like_policy(course, model)
    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    if options.fresh_critic:
        values = {"gae_lambda": options.gae_lambda}
        course.events.write("notice", level="warning", key="methods.notice.fresh_critic", values=values)
    twice = needs_checkpointing(run, options, data.train, course.machine)
    for learner, trunk in ((model, model), (critic, critic.trunk)):
        disable_dropout_in_model(learner)
        if twice:
            trunk.gradient_checkpointing_enable({"use_reentrant": False})
        learner.train(twice)  # Activations are computed twice in this mode only.
    sampler = Sampler(course, model, data, rewards)
    ppo = PPO(course, model, reference, critic, data, sampler)
    loop = course.loop(model, ppo.parts, data, sampler.rounds, ppo.step, sampler.evaluate, twice)
    course.finish(model, loop.step, loop.total_steps)


if __name__ == "__main__":
    alone.run("ppo", main)
