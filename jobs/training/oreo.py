r"""Offline reasoning optimisation (Wang et al. 2024, OREO, arXiv:2412.16145): from answers that were rated once.

    D_t = sum over the answer from token t on of (log pi - log pi_reference)
    loss of the value = mean over t of ( beta * D_t + V_t - R )^2, D held fast
    loss of the model = mean over t of ( beta * (D_t+1 held fast + its own term) + V_t held fast - R )^2  + kl_coef * KL

The best model that stays near its reference obeys beta * D_t + V_t = R in every place t of every answer, good or bad,
whoever wrote it (the soft Bellman equation, summed up to the end; ``R`` is the reward of the whole answer). Both losses
are how far that is from true. V, what is still to be expected in place t, says which token earned the reward: after a
wrong digit it falls, and the tokens before it are not blamed. No pairs are needed, and nobody writes.

``level``: the equation in every token, at the beginning of each step (a line of the answer), or of the answer only,
where V is a baseline of the prompt. V is a small network on top of what the reference makes of the text: it needs no
second model in memory, and what it looks at does not move while it learns.

Watch: the residual falls; the rewards of good answers rise above those of bad ones, in beta * D of whole answers.
What goes wrong: answers that are all good or all bad, where the value explains everything (about half and half is
best); answers of another model, which both models find so unlikely that D means little; a rate at which the value
cannot follow the model; more epochs, which learn the answers by heart.

    python -m jobs.training.oreo --model static/models/tiny-chat --data SCORED.jsonl --out /tmp/oreo

with lines such as {"prompt": "What is 2 + 3?", "completion": "5", "score": 10}.

spec -> model and reference -> data -> answers before -> residuals, step -> answers after -> save
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import TrainingArguments

from jobs.training import alone
from jobs.training.answer_logits import answer_logits
from jobs.training.course import Course
from jobs.training.data import Count, Prepared, Row, sequences, split
from jobs.training.loading import load_model, needs_checkpointing, with_adapter
from jobs.training.loop import Values, rows_of_step
from jobs.training.reference import as_before, frozen_copy, plain
from jobs.training.writing import opened
from studio_core.base.errors import BadInput
from studio_core.data.chat_format import ChatFormat
from studio_core.methods.oreo import Level, OREOOptions, reward_of
from studio_core.runs.spec import RunSpec


def rows(run: RunSpec, options: OREOOptions, chat: ChatFormat) -> Prepared:
    """Columns ``prompt_ids``, ``answer_ids`` with ``answer_learnt``, and ``score``: the reward, from 0 to 1.

    Answers that do not fit are left out whole: of a beginning nobody has said what it is worth.
    """
    count = Count()
    for record, [made], cut in sequences(run, options, chat):
        fits = len(made.ids) <= options.max_length
        count.cut += cut and fits
        begin = made.prompt
        row = {"prompt_ids": made.ids[:begin], "answer_ids": made.ids[begin:], "score": reward_of(record)}
        row["answer_learnt"] = made.trained[begin:]
        count.keep(row, fits and any(made.trained[begin:]))
    values = {row["score"] for row in count.rows}
    if len(values) == 1:
        told = {"dataset": run.dataset.name, "rows": len(count.rows), "reward": f"{values.pop():.2g}"}
        raise BadInput("methods.oreo.one_reward", **told)
    return split(run, options, count, lambda row: len(row["prompt_ids"]) + len(row["answer_ids"]))


class Value(nn.Module):
    """What is still to be expected before each token, read off the last hidden states of the reference."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden, self.output = nn.Linear(width, width), nn.Linear(width, 1)
        nn.init.zeros_(self.output.weight)  # Nothing is expected yet, anywhere.
        nn.init.zeros_(self.output.bias)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = self.output(nn.functional.silu(self.hidden(states)))[..., 0]
        return values


class OREO:
    """A model, what it was and what is expected of it, and what passes between them in one step."""

    def __init__(
        self, course: Course[OREOOptions], model: Any, reference: Any, data: Prepared, total_steps: int
    ) -> None:
        self.course, self.options, self.data = course, course.options, data
        self.model, self.reference = model, reference
        self.value = Value(model.config.get_text_config().hidden_size).to(model.device)
        settings = TrainingArguments(**course.arguments(data))
        self.optimiser, self.schedule = course.optimizer(model, settings, total_steps)
        self.value_optimiser = torch.optim.AdamW(
            self.value.parameters(), lr=course.options.value_rate, weight_decay=0.0
        )
        self.line_ends = line_ends(course.tokenizer) if course.options.level == "step" else frozenset()

    @property
    def parts(self) -> dict[str, Any]:
        """What a checkpoint holds besides the model."""
        return {
            "optimizer": self.optimiser,
            "schedule": self.schedule,
            "value": self.value,
            "value_optimizer": self.value_optimiser,
        }

    def step(self, number: int) -> Values:
        """Residuals of the step's answers, and both nets moved once."""
        options, train = self.options, self.data.train
        self.model.train()
        numbers = rows_of_step(
            number, len(train), options.effective_batch, self.course.run.spec.seed, train["length"]
        )
        sums: defaultdict[str, float] = defaultdict(float)
        for batch in self.batches(train, numbers):
            with self.course.machine.autocast():
                losses, watched = self.losses(batch)
            # Every answer of the step weighs alike, however they fall into batches.
            (losses.sum() / len(numbers)).backward()
            for name, value in watched.items():
                sums[name] += value
        limit = options.max_grad_norm or math.inf
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        nn.utils.clip_grad_norm_(self.value.parameters(), limit)
        rate = self.schedule.get_last_lr()[0]
        for moving in (self.optimiser, self.value_optimiser, self.schedule):
            moving.step()
        for moving in (self.optimiser, self.value_optimiser):
            moving.zero_grad()
        return {
            **means(sums, len(numbers)),
            "grad_norm": norm.item(),
            "learning_rate": rate,
            "tokens": sums["tokens"],
        }

    @torch.no_grad()
    def evaluate(self) -> Values:
        held_out = self.data.held_out
        if held_out is None:
            return {}
        self.model.eval()
        loss = 0.0
        for batch in self.batches(held_out, range(len(held_out))):
            with self.course.machine.autocast():
                loss += self.losses(batch)[1]["loss"]
        return {"eval_loss": loss / len(held_out)}

    def batches(self, part: Any, numbers: Sequence[int]) -> Iterator[list[Row]]:
        """Rows by length, so that little is padding."""
        lengths = part["length"]
        ordered = sorted(numbers, key=lambda number: lengths[number])
        for start in range(0, len(ordered), self.options.batch_size):
            yield part.select(ordered[start : start + self.options.batch_size]).to_list()

    def losses(self, batch: Sequence[Row]) -> tuple[torch.Tensor, dict[str, float]]:
        """What is minimised of each answer, ``(answers,)``, and sums of what is watched."""
        texts = [row["prompt_ids"] + row["answer_ids"] for row in batch]
        flags = [[False] * len(row["prompt_ids"]) + row["answer_learnt"] for row in batch]
        with as_before(self.model, self.reference) as base:
            before = answer_logits(opened(self.course, plain(base)), texts, flags, states=True)
        now = answer_logits(opened(self.course, self.model), texts, flags)
        learnt, gains = now.learnt, now.logps - before.logps
        rewards = torch.tensor([row["score"] for row in batch], device=gains.device)
        starts = places(learnt, now.tokens, self.options.level, self.line_ends)
        with torch.autocast(gains.device.type, enabled=False):
            of_model, of_value = residuals(
                gains, self.value(before.states), starts, rewards, self.options.beta
            )
        kl = divergence(now.logits, before.logits) * learnt
        watched = {
            "loss": of_model.sum().item(),
            "kl": kl.sum().item(),
            "entropy": now.entropy(),
            "learnt": float(learnt.sum()),
            "tokens": float(sum(map(len, texts))),
            **by_kind(self.options.beta * gains.detach().sum(1), rewards),
        }
        losses = of_model + of_value + self.options.kl_coef * kl.sum(1) / learnt.sum(1)
        return losses, watched


def places(
    learnt: torch.Tensor, tokens: torch.Tensor, level: Level, line_ends: frozenset[int]
) -> torch.Tensor:
    """(answers, longest): where the equation is to hold. All shapes are alike.

    Before every token that is learnt, before those that begin a step, or before the first.
    """
    if level == "token":
        return learnt
    first = learnt & (learnt.cumsum(1) == 1)
    if level == "response":
        return first
    ends = torch.tensor(sorted(line_ends), device=tokens.device)
    after = nn.functional.pad(torch.isin(tokens, ends)[:, :-1], (1, 0))
    return first | (learnt & after)


def residuals(
    gains: torch.Tensor, values: torch.Tensor, starts: torch.Tensor, rewards: torch.Tensor, beta: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean squared residual of each answer, ``(answers,)``, once to move the model and once to move the value.

    ``gains`` are log pi - log pi_reference of each token, 0 where nothing is learnt, ``values`` what is expected before
    it, ``starts`` where the equation holds, all ``(answers, longest)``; ``rewards`` ``(answers,)``. In each place the
    model is moved through the tokens up to the next one only: those later ones have places of their own.
    """
    rest = gains.flip(1).cumsum(1).flip(1).detach()
    part = starts.cumsum(1)  # Tokens between two places have one number; 0 is before the first.
    sums = gains.new_zeros(len(gains), gains.shape[1] + 1).scatter_add(1, part, gains)
    own = sums.gather(1, part)
    held = beta * rest + values - rewards[:, None]
    of_model = (held.detach() + beta * (own - own.detach())) ** 2
    count = starts.sum(1)
    return (of_model * starts).sum(1) / count, (held**2 * starts).sum(1) / count


def divergence(now: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """KL(pi || reference) of logits ``(..., vocabulary)``, in nats for each token."""
    likely = now.log_softmax(-1)
    return (likely.exp() * (likely - before.log_softmax(-1))).sum(-1)


def by_kind(gained: torch.Tensor, rewards: torch.Tensor) -> dict[str, float]:
    """How many answers were worth more and less than the middle, and how much they gained on the reference in all."""
    good = rewards > 0.5
    return {
        "good": float(good.sum()),
        "bad": float((~good).sum()),
        "gained_good": gained[good].sum().item(),
        "gained_bad": gained[~good].sum().item(),
    }


def means(sums: Mapping[str, float], answers: int) -> dict[str, float]:
    """What is watched, for each answer or token of its kind; a step may have answers of one kind only."""
    values = {
        "loss": sums["loss"] / answers,
        **{name: sums[name] / sums["learnt"] for name in ("kl", "entropy")},
    }
    if sums["good"]:
        values["rewards/chosen"] = sums["gained_good"] / sums["good"]
    if sums["bad"]:
        values["rewards/rejected"] = sums["gained_bad"] / sums["bad"]
    if sums["good"] and sums["bad"]:
        values["rewards/margins"] = values["rewards/chosen"] - values["rewards/rejected"]
    return values


def line_ends(tokenizer: Any) -> frozenset[int]:
    """Tokens with a line break, after which a step begins."""
    return frozenset(token for token in range(len(tokenizer)) if "\n" in tokenizer.decode([token]))


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, OREOOptions)
    run, options = course.run, course.options
    model = load_model(run, course.machine, course.team.sharded)
    reference = frozen_copy(model, course.tuning.whole)
    model = with_adapter(run, options, model)
    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    total_steps = course.steps(data)
    if twice := needs_checkpointing(run, options, data.train, course.machine):
        model.gradient_checkpointing_enable({"use_reentrant": False})
    both = OREO(course, model, reference, data, total_steps)
    loop = course.loop(model, both.parts, data, total_steps, both.step, both.evaluate, checkpointing=twice)
    course.finish(model, loop.step, loop.total_steps)


if __name__ == "__main__":
    alone.run("oreo", main)
