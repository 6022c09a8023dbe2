"""A toy tuning: only the weights of the norms learn (LN tuning, arXiv:2312.11420)."""

from __future__ import annotations

from studio_core.models.size import ModelSize
from studio_core.options import option
from studio_core.tunings.base import Tuning, TuningOptions


class NormsOptions(TuningOptions):
    norms_last: bool = option(True, advanced=False)


def trained(size: ModelSize, options: NormsOptions) -> int:
    return size.hidden * (2 * size.layers + options.norms_last)


TUNING = Tuning(
    name="norms",
    Options=NormsOptions,
    whole=False,
    trained=trained,
    frozen=lambda size, width: width * size.parameters,
    instead="lora",
    adapter="LN_TUNING",
    package="tests.integration.toys.training",
)

TEXTS = {
    "tunings.norms": "Norms",
    "tunings.norms.help": "Trains the norms only.",
    "tunings.norms.norms_last": "Last norm",
    "tunings.norms.norms_last.help": "Whether the norm before the output learns, too.",
}
