"""VeRA (Kopiczko et al. 2023, arXiv:2310.11454): LoRA whose matrices are random and frozen; vectors between them learn.

A layer computes ``W x + b * (B (d * A x))``. A and B are drawn once, and are the same for all layers.
"""

from __future__ import annotations

from studio_core.models.size import ModelSize
from studio_core.options import option
from studio_core.tunings.base import Tuning, TuningOptions


class VeraOptions(TuningOptions):
    # The paper's for models of 7 billion parameters: frozen, a rank costs little.
    vera_rank: int = option(256, at_least=1, at_most=4096, advanced=False)


def trained(size: ModelSize, options: VeraOptions) -> int:
    """On every linear layer a vector as long as the rank, and one as long as its outputs."""
    return 7 * size.layers * options.vera_rank + size.linear_outputs


VERA = Tuning(
    name="vera",
    Options=VeraOptions,
    whole=False,
    family="low_rank",
    trained=trained,
    frozen=lambda size, width: width * size.parameters,
    adapter="VERA",
    # Vectors between random matrices move what comes out little; the demo model learnt at this rate (docs/tunings.md).
    rate=10.0,
    instead="lora",
)
