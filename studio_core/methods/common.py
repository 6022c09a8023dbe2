"""Options that all methods share, and the arithmetic of batches and steps that follows from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

from studio_core.data.learning import Learning, LossOn, Reasoning, Truncation
from studio_core.options import Part, option
from studio_core.suites import OF_TRAININGS

_MOST_HELD_OUT = 500
"""Rows to measure on: the standard error of a mean over 500 is a 22nd of one row's spread, and each look costs time."""

DEMO_SIZE = 20_000_000
"""Models below this many parameters are the studio's own; their presets were measured."""


@dataclass(frozen=True)
class HeldOutLoss(Part):
    """What early stopping looks at unless a suite is named."""

    name: str = "loss"
    Options: type[BaseModel] = BaseModel
    title_key: str = "options.early_stopping_on.loss"


HELD_OUT_LOSS = HeldOutLoss()


class ReplayOptions(BaseModel):
    """Of a method that can mix rows of another dataset in (the role replay)."""

    # A judgement: a fifth costs a quarter more time, a half as much again.
    replay_share: float = option(0.2, at_least=0.0, at_most=0.9)

    def replayed(self, rows: int) -> int:
        """Rows to mix in, so that they are that share of what an epoch trains on besides ``rows`` of its own."""
        return round(rows * self.replay_share / (1 - self.replay_share))


class TrainingOptions(BaseModel):
    """What can be set for every method. Field order is form order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Defaults are what is usual for models of a few billion parameters; each method's presets know sizes and tunings.
    learning_rate: float = option(2e-5, at_least=1e-8, at_most=1.0, advanced=False)
    epochs: float = option(1.0, at_least=0.01, at_most=1000.0, unit="epochs", advanced=False)
    max_steps: int = option(0, at_least=0, at_most=10_000_000, unit="steps")
    # A judgement: enough that one odd row does not turn a step, few enough to fit. Presets change it with the size.
    batch_size: int = option(8, at_least=1, at_most=1024, unit="rows", advanced=False)
    gradient_accumulation: int = option(1, at_least=1, at_most=1024, unit="batches", advanced=False)
    max_length: int = option(1024, at_least=16, at_most=131_072, unit="tokens", advanced=False)
    truncation: Truncation = option("end")
    scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup"] = option("cosine")
    # AdamW's second moment is an average over some thousand steps that begins empty: the first ones are small.
    warmup: float = option(0.05, at_least=0.0, at_most=0.5)
    weight_decay: float = option(0.0, at_least=0.0, at_most=1.0)
    # One odd batch moves the weights no further than an ordinary one.
    max_grad_norm: float = option(1.0, at_least=0.0, at_most=100.0)
    optimizer: Literal["adamw", "adamw_8bit", "adafactor"] = option("adamw")
    precision: Literal["auto", "bf16", "fp32"] = option("auto")
    activation_checkpointing: Literal["auto", "on", "off"] = option("auto")
    reasoning: Reasoning = option("learn")
    # Off by default where a method does not say otherwise: small datasets need every row.
    eval_share: float = option(0.0, at_least=0.0, at_most=0.5)
    # A look is noisy: the loss may rise once and fall again.
    early_stopping_patience: int = option(0, at_least=0, at_most=1000, unit="evaluations")
    early_stopping_on: str = option(
        HELD_OUT_LOSS.name, parts={HELD_OUT_LOSS.name: HELD_OUT_LOSS, **OF_TRAININGS}
    )
    early_stopping_threshold: float = option(0.0, at_least=0.0, at_most=10.0)
    logging_steps: int = option(1, at_least=1, at_most=10_000, unit="steps")
    save_steps: int = option(0, at_least=0, at_most=10_000_000, unit="steps")

    def learning(self) -> Learning:
        """Which tokens of a record are learnt."""
        loss_on: LossOn = getattr(self, "loss_on", "answers")
        return Learning(loss_on=loss_on, reasoning=self.reasoning, truncation=self.truncation)

    @field_validator("early_stopping_on")
    @classmethod
    def _known(cls, name: str) -> str:
        if name != HELD_OUT_LOSS.name and name not in OF_TRAININGS:
            raise ValueError("no suite of that name")
        return name

    @property
    def watched_suite(self) -> str:
        """The suite that early stopping looks at; none: it looks at the held-out loss, or there is none."""
        named = self.early_stopping_patience and self.early_stopping_on != HELD_OUT_LOSS.name
        return self.early_stopping_on if named else ""

    @property
    def effective_batch(self) -> int:
        """Rows that one optimizer step learns from, on each GPU."""
        return self.batch_size * self.gradient_accumulation

    @property
    def times_learnt(self) -> int:
        """How often one step learns from each of its rows."""
        return 1

    @property
    def updates_of_step(self) -> int:
        """How often one step moves the weights of each model that learns."""
        return 1

    def held_out(self, rows: int) -> int:
        """Rows kept from training to measure the loss on; never all, never more than are useful."""
        return min(round(rows * self.eval_share), _MOST_HELD_OUT, max(rows - 1, 0))

    def total_steps(self, rows: int, gpus: int = 1, mixed_in: int = 0) -> int:
        """Optimizer steps of a run on a dataset of ``rows`` rows, of which each GPU takes its share.

        ``mixed_in`` rows of another dataset are trained on besides.
        """
        return self.max_steps or math.ceil(
            self.epochs * self.steps_of_epoch(rows - self.held_out(rows) + mixed_in, gpus)
        )

    def rows_at_work(self, batch_size: int) -> int:
        """Rows whose activations are there at once, of a batch of that size."""
        return batch_size

    def steps_of_epoch(self, rows: int, gpus: int = 1) -> int:
        """Optimizer steps that go once through ``rows`` rows, of which none are held out, at least one."""
        # As trainers count: ranks share the rows, the last batch of an epoch may be short, and so may its last step.
        return max(1, math.ceil(rows / (self.effective_batch * gpus)))

    def save_every(self, total_steps: int) -> int:
        """Steps between checkpoints: as asked, else about five times in a run but not every few steps."""
        # A fifth of a run is the most that a crash takes; under 20 steps writing would cost more than it saves. To see
        # where the held-out loss turns takes more looks.
        looks = 20 if self.early_stopping_patience else 5
        return self.save_steps or max(20, math.ceil(total_steps / looks))
