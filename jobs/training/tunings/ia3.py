"""IA3 by PEFT: keys and values are scaled as they come out, the feed-forward block where it goes back to the width."""

from __future__ import annotations

from typing import Any

from peft import IA3Config

from jobs.training.tunings import Implementation
from jobs.training.tunings.layers import BACK_TO_WIDTH, KEYS_AND_VALUES, layers_named
from studio_core.runs.spec import RunSpec
from studio_core.tunings.base import TuningOptions

_REFUSAL = "tunings.no_ia3_layers"


def adapter(run: RunSpec, model: Any, options: TuningOptions) -> IA3Config:
    attention = layers_named(model, KEYS_AND_VALUES, _REFUSAL, run.model.name)
    feed_forward = layers_named(model, BACK_TO_WIDTH, _REFUSAL, run.model.name)
    # A feed-forward layer is scaled by what comes in, which is the middle of its block; the others by what goes out.
    return IA3Config(target_modules=[*attention, *feed_forward], feedforward_modules=feed_forward)


IMPLEMENTATION = Implementation(adapter=adapter)
