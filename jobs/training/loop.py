"""A training that is written out step by step, where no trainer of TRL's fits: PPO, TRPO, OREO and their like.

A script says what one step does; the loop brings what a trainer brings besides: steps that go on where a checkpoint
ended, reports, answers on the way, checkpoints, and an end when it is asked for.

    loop = course.loop(model, {"optimizer": optimizer, "schedule": schedule}, data, steps)
    loop.run(step)
    course.finish(model, loop.step, loop.total_steps)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file, save_file
from transformers import Trainer, TrainingArguments, get_scheduler

from jobs.training.grouping import longest_first
from jobs.training.reporting import Reporter, random_state, set_random_state
from jobs.training.reserve import hold_moments
from studio_core.methods.common import TrainingOptions
from studio_core.runs.run_folder import CHECKPOINTS

Values = Mapping[str, float]
"""Metrics by name. ``tokens`` counts those that went through the model in this step, for the speed."""


class Part(Protocol):
    """What a checkpoint holds besides weights: an optimiser, its schedule, a KL coefficient that adapts ..."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> object: ...


TUNING = "tuning"
"""Of the parts, that which goes along with a way of tuning: AdaLoRA's ranks."""


class StepGivenUp(Exception):
    """The run is to end, and the step in progress is not carried to its end."""


class Loop:
    """Steps of one training. Of ``model`` what learns is kept in checkpoints, of ``parts`` all."""

    def __init__(
        self,
        reporter: Reporter,
        model: torch.nn.Module,
        parts: Mapping[str, Part],
        options: TrainingOptions,
        total_steps: int,
        resume_from: str | None = None,
    ) -> None:
        self.step, self.total_steps = 0, total_steps
        self._reporter, self._model, self._parts, self._options = reporter, model, parts, options
        self._save_every = options.save_every(total_steps)
        self._tokens = 0.0
        if resume_from:
            self._load(Path(resume_from))

    def run(self, step: Callable[[int], Values], evaluate: Callable[[], Values] | None = None) -> None:
        """Carry out ``step(number)``, from 1 on, until the last or until the run is asked to end.

        ``evaluate`` gives values of held-out rows; it is called with every checkpoint that the run makes by itself.
        """
        for part in self._parts.values():
            hold_moments(part)
        self._reporter.begin(self.step, self.total_steps)
        while self.step < self.total_steps:
            # A step that is given up must not have drawn: the resumed run would draw the next numbers instead.
            before = random_state(), random.getstate()
            try:
                values = dict(step(self.step + 1))
            except (
                StepGivenUp
            ):  # Nothing was learnt yet; what it drew at random is put back for the resumed run.
                set_random_state(before[0])
                random.setstate(before[1])
                self._save()
                return
            self.step += 1
            self._tokens += values.pop("tokens", 0.0)
            end = self._reporter.stop.agreed()
            self._report(values, end)
            # The last step is always kept: a run can be trained longer from there.
            due = self.step % self._save_every == 0 or self.step == self.total_steps
            # Who asks for an end waits: a checkpoint can be measured later. Under early stopping the look is due: a
            # resumed run would decide without it.
            if due and evaluate and not (end and self._reporter.early is None):
                self._reporter.metrics(self.step, evaluate())
            if due or end:
                self._save()
            if end or (due and self._reporter.over):
                return
            if self._reporter.sample_due(self.step):
                self._reporter.sample("during", self.step)

    def take(self, checkpoint: Path) -> None:
        """The weights of a checkpoint, with what their way of tuning kept beside them, for the model that is saved."""
        self._model.load_state_dict(load_file(checkpoint / _WEIGHTS), strict=False)
        if tuning := self._parts.get(TUNING):
            kept = torch.load(checkpoint / _PARTS, weights_only=True, map_location="cpu")
            tuning.load_state_dict(kept["parts"][TUNING])

    def hear(self) -> None:
        """Raise ``StepGivenUp`` if the run is asked to end: for long steps, as often as they like, on all ranks.

        Only before the step has changed any weight.
        """
        if self._reporter.stop.agreed():
            raise StepGivenUp

    def _report(self, values: Values, end: bool) -> None:
        """As often as trainers do: the first step, every so many, and the last."""
        if (
            end
            or self.step == 1
            or self.step % self._options.logging_steps == 0
            or self.step == self.total_steps
        ):
            self._reporter.metrics(self.step, values, tokens=self._tokens)

    def _save(self) -> None:
        if not self.step:
            return
        team = self._reporter.team
        folder = team.run_dir / CHECKPOINTS / f"checkpoint-{self.step}"
        folder.mkdir(parents=True, exist_ok=True)
        if team.first:
            save_file(_learnt(self._model), folder / _WEIGHTS)
            parts = {name: part.state_dict() for name, part in self._parts.items()}
            torch.save({"step": self.step, "tokens": self._tokens, "parts": parts}, folder / _PARTS)
        # Python's own state is numbers only, so that it loads where nothing but tensors and numbers is let in.
        torch.save(
            {"torch": random_state(), "python": random.getstate()}, folder / _RANDOM.format(rank=team.rank)
        )
        self._reporter.checkpoint(self.step)

    def _load(self, folder: Path) -> None:
        kept = torch.load(folder / _PARTS, weights_only=True, map_location="cpu")
        self.step, self._tokens = kept["step"], kept["tokens"]
        weights = load_file(folder / _WEIGHTS)
        if odd := sorted(weights.keys() ^ _learnt(self._model).keys()):
            raise ValueError(f"{folder} is of another model: {', '.join(odd[:3])}")
        self._model.load_state_dict(weights, strict=False)
        for name, part in self._parts.items():
            part.load_state_dict(kept["parts"][name])
        drawn = torch.load(folder / _RANDOM.format(rank=self._reporter.team.rank), weights_only=True)
        set_random_state(drawn["torch"])
        random.setstate(drawn["python"])


_WEIGHTS, _PARTS, _RANDOM = "learnt.safetensors", "parts.pt", "random-{rank}.pt"


def _learnt(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights that learn, by name; tied ones once."""
    return {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}


def optimizer(
    model: torch.nn.Module,
    settings: TrainingArguments,
    total_steps: int,
    rate: Callable[[str], float] = lambda name: 1.0,
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """The optimiser that was asked for, over what learns, and the schedule of its rate, as TRL's trainers make them.

    Weight decay spares vectors (biases and norms): pulling them to 0 changes what a layer does, not how large it is.
    ``rate`` says by a weight's name how many times the learning rate it learns at.
    """
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            decay = settings.weight_decay if weight.dim() > 1 else 0.0
            groups.setdefault((decay, settings.learning_rate * rate(name)), []).append(weight)
    kind, given = Trainer.get_optimizer_cls_and_kwargs(settings)
    alike = [
        {"params": weights, "weight_decay": decay, "lr": own} for (decay, own), weights in groups.items()
    ]
    made = kind(alike, **given)
    return made, get_scheduler(
        settings.lr_scheduler_type, made, settings.get_warmup_steps(total_steps), total_steps
    )


def rows_of_step(
    step: int, rows: int, size: int, seed: int, lengths: Sequence[int] | None = None
) -> list[int]:
    """The numbers of the rows of a step: every epoch in a new order that depends on the seed only.

    The last step of an epoch takes what is left. A resumed run needs to remember nothing. With ``lengths`` the run
    begins with the longest rows, so that memory runs out in the first step or never.
    """
    of_epoch = -(-rows // size)
    epoch, place = divmod(step - 1, of_epoch)
    order = list(range(rows))
    random.Random(f"{seed}:{epoch}").shuffle(order)
    if lengths and not epoch:
        first, others = longest_first(order, lengths, size)
        order = first + others
    return order[place * size : (place + 1) * size]
