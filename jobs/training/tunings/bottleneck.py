"""Bottleneck adapters by our own kind of adapter for PEFT (``jobs/bottleneck.py``)."""

from __future__ import annotations

from typing import Any

from torch import nn

from jobs.bottleneck import BottleneckConfig
from jobs.training.tunings import Implementation
from jobs.training.tunings.layers import BACK_TO_WIDTH
from studio_core.base.errors import BadInput
from studio_core.runs.spec import RunSpec
from studio_core.tunings.bottleneck import BottleneckOptions

_ENDS_OF_ATTENTION = {"o_proj", "out_proj", "attention.dense", "self_attention.dense", "self_attn.dense"}
"""What architectures call the last linear layer of attention."""


def adapter(run: RunSpec, model: Any, options: BottleneckOptions) -> BottleneckConfig:
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    targets = []
    for ends in (BACK_TO_WIDTH, _ENDS_OF_ATTENTION)[: 2 if options.bottleneck_places == "both" else 1]:
        there = {end for end in ends if any(name.endswith(f".{end}") for name in linear)}
        if not there:
            raise BadInput(
                "tunings.no_ends_of_layers", model=run.model.name, architecture=type(model).__name__
            )
        targets += sorted(there)
    return BottleneckConfig(width=options.bottleneck_width, target_modules=targets)


IMPLEMENTATION = Implementation(adapter=adapter)
