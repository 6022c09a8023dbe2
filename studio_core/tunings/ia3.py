"""IA3 (Liu et al. 2022, arXiv:2205.05638): vectors learn that scale keys, values and the middle of each feed-forward
block; all else is frozen.

Three vectors a layer, that begin as ones: a few kilobytes for a small model, so that one base serves many tasks.
"""

from __future__ import annotations

from studio_core.models.size import ModelSize
from studio_core.tunings.base import Tuning, TuningOptions


# Keys and values are taken to be as wide as the model; with fewer heads for them they are narrower.
def trained(size: ModelSize, options: TuningOptions) -> int:
    return size.layers * (2 * size.hidden + size.intermediate)


IA3 = Tuning(
    name="ia3",
    Options=TuningOptions,
    whole=False,
    trained=trained,
    frozen=lambda size, width: width * size.parameters,
    adapter="IA3",
    rate=15.0,
    # At this rate the demo models answer next to nothing right after 120 steps (docs/tunings.md). How large a model has
    # to be is a judgement: such vectors bring out what a model knows, so it has to know something.
    least=20_000_000,
    instead="lora",
)
