"""What the toy tuning builds."""

from __future__ import annotations

from typing import Any

from peft import LNTuningConfig

from jobs.training.tunings import Implementation
from studio_core.runs.spec import RunSpec
from tests.integration.toys.norms import NormsOptions


def adapter(run: RunSpec, model: Any, options: NormsOptions) -> LNTuningConfig:
    layers = ["input_layernorm", "post_attention_layernorm"]
    return LNTuningConfig(target_modules=[*layers, "model.norm"] if options.norms_last else layers)


IMPLEMENTATION = Implementation(adapter=adapter)
