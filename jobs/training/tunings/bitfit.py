"""BitFit by PEFT, which adds a vector to what each linear layer gives (BEFT): to its bias, or where it has none."""

from __future__ import annotations

from typing import Any

from peft import BeftConfig
from transformers.pytorch_utils import Conv1D

from jobs.training.tunings import Implementation
from studio_core.base.errors import BadInput
from studio_core.runs.spec import RunSpec


def adapter(run: RunSpec, model: Any, options: Any) -> BeftConfig:
    # GPT-2's layers, whose weights lie the other way round; PEFT would pass over them without a word.
    if any(isinstance(module, Conv1D) for module in model.modules()):
        raise BadInput("tunings.no_linear_layers", model=run.model.name, architecture=type(model).__name__)
    return BeftConfig(target_modules="all-linear")


IMPLEMENTATION = Implementation(adapter=adapter)
