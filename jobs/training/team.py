"""The processes that carry out one run together, as one of them sees it. Mostly it is alone.

Rank 0 speaks for all: it writes the events, completes the checkpoints and saves the result.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from jobs.training.ranks import TEAM, stop_asked
from jobs.training.spoken import SpokenEvents
from studio_core.runs.run_folder import EventWriter
from studio_core.runs.spec import RunSpec


class Silent:
    """Takes the events of the other ranks."""

    def write(self, type: str, **fields: Any) -> None:
        """Write nothing."""


@dataclass
class Team:
    run_dir: Path
    rank: int = 0
    size: int = 1
    parallel: str = "ddp"
    _talk: Any = field(default=None, repr=False)

    @classmethod
    def of(cls, run_dir: Path, run: RunSpec) -> Team:
        """As the launcher of the ranks says; takes this rank's GPU."""
        size = int(os.environ.get(TEAM, "1"))
        if size == 1:
            return cls(run_dir)
        if os.environ.get("TUNESMITH_DEVICE") != "cpu" and torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        return cls(run_dir, int(os.environ["RANK"]), size, run.spec.parallel)

    @property
    def first(self) -> bool:
        return self.rank == 0

    @property
    def sharded(self) -> bool:
        """Whether no rank has the whole model, so that all must take part whenever it is used."""
        return self.size > 1 and self.parallel == "fsdp"

    def events(self) -> EventWriter | Silent:
        return SpokenEvents(self.run_dir) if self.first else Silent()

    def stop_asked(self) -> bool:
        """Whether the launcher heard that the run should save and end."""
        return self.size > 1 and stop_asked(self.run_dir)

    def agreed(self, wish: bool) -> bool:
        """What rank 0 wishes, on every rank; all ranks call it at the same step."""
        if self.size == 1:
            return wish
        word = torch.tensor([wish], dtype=torch.uint8)
        distributed.broadcast(word, 0, group=self._group())
        return bool(word.item())

    def shared(self, value: float) -> float:
        """The number of rank 0, on every rank; all ranks call it at the same step."""
        if self.size == 1:
            return value
        word = torch.tensor([value], dtype=torch.float64)
        distributed.broadcast(word, 0, group=self._group())
        return float(word.item())

    def wait(self) -> None:
        """Until every rank is here."""
        if self.size > 1:
            distributed.barrier(group=self._group())

    def whole_weights(self, trainer: Any) -> dict[str, torch.Tensor] | None:
        """All weights on rank 0, gathered from the shards; None where the model itself is whole."""
        return trainer.accelerator.get_state_dict(trainer.model_wrapped) if self.sharded else None

    def _group(self) -> Any:
        """Between the processors: words must not wait for what the GPUs have yet to compute."""
        if self._talk is None:
            self._talk = distributed.new_group(backend="gloo")
        return self._talk
