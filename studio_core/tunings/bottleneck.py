"""Bottleneck adapters (Houlsby et al. 2019, arXiv:1902.00751): small networks learn between the frozen layers.

``h + up(gelu(down(h)))`` after attention and feed-forward block of each layer; after the latter only, it is the
cheaper form of Pfeiffer et al. 2021 (arXiv:2005.00247). ``up`` begins as zero: training starts from the model as it is.
"""

from __future__ import annotations

from typing import Literal

from studio_core.models.size import ModelSize
from studio_core.options import option
from studio_core.tunings.base import Tuning, TuningOptions


class BottleneckOptions(TuningOptions):
    # The width that Houlsby et al. come closest to full tuning with; about as many numbers as LoRA of rank 16.
    bottleneck_width: int = option(64, at_least=1, at_most=4096, advanced=False)
    bottleneck_places: Literal["both", "feed_forward"] = option("both")


def trained(size: ModelSize, options: BottleneckOptions) -> int:
    """Two matrices with their biases at each place of each layer."""
    places = 2 if options.bottleneck_places == "both" else 1
    width = options.bottleneck_width
    return size.layers * places * (2 * size.hidden * width + size.hidden + width)


BOTTLENECK = Tuning(
    name="bottleneck",
    Options=BottleneckOptions,
    whole=False,
    trained=trained,
    frozen=lambda size, width: width * size.parameters,
    suits=lambda method: method.writes,
    instead="lora",
    adapter="BOTTLENECK",
    # What lies between two layers with a bend in its middle is no change of their weights.
    merges=False,
)
