"""LayerNorm tuning by PEFT: copies of the norms learn, so that the model's own stay as they are."""

from __future__ import annotations

from typing import Any

from peft import LNTuningConfig

from jobs.training.tunings import Implementation
from studio_core.base.errors import BadInput
from studio_core.runs.spec import RunSpec
from studio_core.tunings.base import TuningOptions


def adapter(run: RunSpec, model: Any, options: TuningOptions) -> LNTuningConfig:
    # By their kind, since each architecture has other names for them: LayerNorm, LlamaRMSNorm, Qwen3RMSNorm ...
    norms = [name for name, module in model.named_modules() if type(module).__name__.endswith("Norm")]
    if not norms:
        raise BadInput("tunings.no_norms", model=run.model.name)
    return LNTuningConfig(target_modules=norms)


IMPLEMENTATION = Implementation(adapter=adapter)
