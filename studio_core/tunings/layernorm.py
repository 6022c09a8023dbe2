"""LayerNorm tuning (Zhao et al. 2023, arXiv:2312.11420): the weights of the norms learn, all else is frozen.

Two vectors a layer and the one before the output. Told to be as good as LoRA where a model has only to speak in another
manner; it can add no knowledge.
"""

from __future__ import annotations

from studio_core.models.size import ModelSize
from studio_core.tunings.base import Tuning, TuningOptions


def trained(size: ModelSize, options: TuningOptions) -> int:
    return size.hidden * (2 * size.layers + 1)


LAYERNORM = Tuning(
    name="layernorm",
    Options=TuningOptions,
    whole=False,
    trained=trained,
    frozen=lambda size, width: width * size.parameters,
    adapter="LN_TUNING",
    rate=5.0,
    # At this rate the demo models answer next to nothing right after 120 steps (docs/tunings.md). How large a model has
    # to be is a judgement: such vectors bring out what a model knows, so it has to know something.
    least=20_000_000,
    instead="lora",
)
