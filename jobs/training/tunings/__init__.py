"""How each way of tuning is carried out: one file for each, the twin of that in ``studio_core/tunings``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from peft import PeftConfig

from studio_core import tunings
from studio_core.runs.spec import RunSpec
from studio_core.tunings.base import Tuning


class Companion(Protocol):
    """What goes along with a training beside its optimiser. What it remembers is kept in checkpoints."""

    def after_step(self, step: int) -> None:
        """After the optimiser's ``step`` (from 1 on), when its gradients are still there."""

    def finish(self) -> None:
        """After the last step, before anything is answered or saved."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> object: ...


@dataclass(frozen=True)
class Implementation:
    """What each file here names ``IMPLEMENTATION``; one that needs none of it has an empty one.

    ``options`` are those of the run. An adapter may be of a kind of our own, registered with PEFT.
    """

    quantization: Callable[[str], Any] | None = None
    """``(precision)`` -> how transformers quantises the weights while it loads them."""
    adapter: Callable[[RunSpec, Any, Any], PeftConfig] | None = None
    """``(run, model, options)`` -> what learns beside the frozen weights, but for the kind of task."""
    optimizers: Mapping[str, str] = field(default_factory=dict)
    """What transformers calls the optimisers that take the place of those that are asked for, on a GPU."""
    prepare: Callable[[Any, Any], None] | None = None
    """``(model, options)``: choose what of a complete model learns, once it is loaded."""
    rate: Callable[[Any], Callable[[str], float] | None] = lambda options: None
    """``(options)`` -> how many times the learning rate a weight of that name learns at; None: all at the same."""
    companion: Callable[[Any, Any, Path, int], Companion | None] = lambda *_: None
    """``(model, options, run folder, steps)`` -> what goes along with the training, if anything does; made before its
    first step, also of a run that is resumed, whose weights are loaded later."""


def implementation(tuning: Tuning) -> Implementation:
    """How that way of tuning is carried out."""
    twin: Implementation = import_module(f"{tuning.package}.{tuning.name}").IMPLEMENTATION
    return twin


def of_run(run: RunSpec) -> Implementation:
    """How the way of tuning of that run is carried out."""
    return implementation(tunings.named(run.spec.tuning))
