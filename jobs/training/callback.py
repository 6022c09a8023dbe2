"""A ``Reporter`` as TRL's trainers speak to it: it stops them when asked, and completes their checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from jobs.training.reporting import Reporter, random_state, set_random_state
from jobs.training.reserve import hold_moments
from jobs.training.tunings import Companion

_NOT_METRICS = ("runtime", "per_second", "total_flos", "epoch", "train_loss", "num_tokens")
"""How names end that trainers log and that are no metric of a run, or that the reporter says better."""


_COMPANION = "tuning.pt"


class ReporterCallback(TrainerCallback):
    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._tokens = 0.0
        self._random: list[torch.Tensor] = []

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        optimizer: Any = None,
        **_: Any,
    ) -> None:
        hold_moments(optimizer)
        self._reporter.begin(state.global_step, state.max_steps)

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self._reporter.stop.agreed() and state.global_step > self._reporter.first_step:
            # The batches since the last step are given up, so what they drew at random is put back:
            # then a resumed run draws the same.
            set_random_state(self._random)
            _end(control)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if args.gradient_accumulation_steps > 1:
            self._random = random_state()
        if self._reporter.stop.agreed():
            # Who asks for an end waits: a checkpoint can be measured later. Under early stopping the look is due: a
            # resumed run would decide without it.
            control.should_evaluate &= self._reporter.early is not None
            _end(control)
        elif self._reporter.sample_due(state.global_step):
            self._reporter.sample("during", state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        logs = logs or {}
        values = {name: value for name, value in logs.items() if not name.endswith(_NOT_METRICS)}
        # Trainers that learn from the same answers more than once count them once, and say nothing the other times.
        self._tokens = float(logs.get("num_tokens", self._tokens))
        tokens = self._tokens if "loss" in values else None
        self._reporter.metrics(state.global_step, values, epoch=state.epoch or 0.0, tokens=tokens)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._reporter.checkpoint(state.global_step)
        if self._reporter.over:
            control.should_training_stop = True


class CompanionCallback(TrainerCallback):
    """A ``Companion`` as trainers speak to it. It comes before the reporter, which declares checkpoints complete."""

    def __init__(self, companion: Companion, resume_from: str | None) -> None:
        self._companion, self._resume_from = companion, resume_from

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self._resume_from:
            self.take(Path(self._resume_from))

    def take(self, checkpoint: Path) -> None:
        """Have the companion be what it was then."""
        kept = torch.load(checkpoint / _COMPANION, weights_only=True, map_location="cpu")
        self._companion.load_state_dict(kept)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._companion.after_step(state.global_step + 1)  # Counted once the gradients are gone.

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            torch.save(self._companion.state_dict(), folder / _COMPANION)


def _end(control: TrainerControl) -> None:
    control.should_save = True
    control.should_training_stop = True
