"""Freezing by layers: the last layers learn, all below stays as it is.

What a model writes is decided in its upper layers, what it knows of language in all of them. No gradient has to go
below the lowest layer that learns, so a step costs less than full tuning; the result is a complete model, too.
"""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.models.size import ModelSize
from studio_core.options import option
from studio_core.tunings.base import Case, Tuning, TuningOptions
from studio_core.tunings.full import against as against_full


class FreezeOptions(TuningOptions):
    # A judgement: half of the smallest models, a tenth of large ones.
    trained_layers: int = option(2, at_least=1, at_most=1000, unit="layers", advanced=False)


def trained(size: ModelSize, options: FreezeOptions) -> int:
    """The layers that learn, as if all were alike, and the norm above them."""
    layers = min(options.trained_layers, size.layers)
    return (size.parameters - size.embeddings) * layers // size.layers + size.hidden


def backward(size: ModelSize, options: FreezeOptions) -> int:
    """Of the layers that learn, and of the activations that the output matrix above them passes on."""
    return 4 * trained(size, options) + 2 * min(size.vocab * size.hidden, size.multiplied)


def against(case: Case) -> list[BadInput]:
    found = against_full(case)
    if case.gpus > 1 and case.parallel == "fsdp":
        found.append(BadInput("tunings.needs_ddp", what="freeze", parallel=case.parallel))
    return found


FREEZE = Tuning(
    name="freeze",
    Options=FreezeOptions,
    whole=True,
    family="weights",
    trained=trained,
    # The result is a complete model: all weights are counted with it, in full precision.
    frozen=lambda size, width: 0,
    backward=backward,
    against=against,
)
