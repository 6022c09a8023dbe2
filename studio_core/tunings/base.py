"""What a way of tuning is: which weights learn, what that costs, what it makes, and what it cannot do.

Its options are one pydantic class, as those of a method are; a run has both. Their names are told apart from those of
methods by a prefix (``lora_rank``). Texts are ``tunings.<tuning>`` and ``....help``; those of an option
``tunings.<tuning>.<option>``, or ``options.<option>`` where several tunings share it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from studio_core.base.errors import BadInput
from studio_core.models.size import ModelSize
from studio_core.options import Part

DEFAULT = "full"
"""What a training begins with if nothing else is asked for."""


class TuningOptions(BaseModel):
    """Field order is form order. Fields are made by ``studio_core.options.option``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Learner(Protocol):
    """A method as its tunings see it: methods know their tunings, and so are not known here."""

    @property
    def writes(self) -> bool: ...

    @property
    def moved_by_optimizer(self) -> bool: ...


@dataclass(frozen=True)
class Case:
    """What a training is of, as far as a way of tuning may have something against it."""

    model: str
    quantised: bool
    """Whether the base model's weights are stored in 4 or 8 bits."""
    writes: bool
    """Whether the result is to write answers; else it scores them."""
    gpus: int = 1
    parallel: str = "ddp"
    adapter: str = ""
    """PEFT's name of the kind of adapter that the model is; empty if it is a complete model."""
    compares: bool = False
    """Whether the method compares what the model writes with what it wrote before the training."""
    checkpointing: str = "auto"
    """Whether activations are to be computed twice, as the option says it."""
    size: ModelSize | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Those of the run that are known by now."""


def nothing(*_: Any) -> list[BadInput]:
    return []


@dataclass(frozen=True)
class Tuning(Part):
    name: str
    Options: type[TuningOptions]
    whole: bool
    """Whether the result is a complete model; else something learns beside frozen weights, and is an adapter."""
    trained: Callable[[ModelSize, Any], int]
    """``(size, options)`` -> parameters that learn."""
    frozen: Callable[[ModelSize, int], int]
    """``(size, width)`` -> bytes of the weights that do not learn beside an adapter; ``width`` is that of a number on
    the device. A complete model is held in full precision, whatever of it learns."""
    backward: Callable[[ModelSize, Any], int] | None = None
    """``(size, options)`` -> floating-point operations of the gradients of a token. None: 2 a parameter for the
    activations', and as many for the weights' where all of them learn."""
    against: Callable[[Case], list[BadInput]] = nothing
    """What this way of tuning cannot do of what is asked."""
    missing: Callable[[], BadInput | None] = lambda: None
    """What it needs that is not on this machine. Asked before the run and again by the worker."""
    suits: Callable[[Learner], bool] = lambda method: True
    instead: str = DEFAULT
    """The way of tuning that comes nearest, where a method cannot be had with this one."""
    family: Literal["weights", "low_rank", "prompts", "other"] = "other"
    """Beside which others it stands in a list."""
    adapter: str = ""
    """PEFT's name of the kind of adapter that it makes (``peft_type``); an adapter is continued by its own kind."""
    merges: bool = True
    """Whether what was learnt can be added to the weights of the base, so that a complete model comes of it."""
    mixes: bool = False
    """Whether its adapters share a batch with others and with the base in chat, as only plain LoRA does."""
    packs: bool = True
    """Whether several rows may stand in one sequence."""
    checkpoints: bool = True
    """Whether activations may be computed twice to save memory."""
    added: Callable[[Any], int] = lambda options: 0
    """``(options)`` -> virtual tokens that stand before every row, and take memory and time as others do."""
    spares: bool = False
    """Whether a plan proposes it where memory is short: it teaches about as much for less."""
    rate: float = 1.0
    """Its learning rate as a multiple of LoRA's; of full tuning's if it is ``whole``. Presets begin with that."""
    epochs: float = 1.0
    """Likewise how many times as many epochs it takes."""
    least: int = 0
    """Parameters of a model below which it teaches too little to be of use."""
    package: str = "jobs.training.tunings"
    """Where the module of its name is that carries it out."""

    def gradients(self, size: ModelSize, options: Any) -> int:
        """Floating-point operations of the gradients of a token."""
        if self.backward is not None:
            return self.backward(size, options)
        return (4 if self.whole else 2) * size.multiplied

    @property
    def title_key(self) -> str:
        return f"tunings.{self.name}"
