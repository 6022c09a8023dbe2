"""Answers for the prompts of a dataset, from a stronger model."""

from __future__ import annotations

from typing import Literal

from studio_core.curation.asking import PROMPTED, DrawingOptions
from studio_core.curation.base import Operation
from studio_core.options import option


class DistillOptions(DrawingOptions):
    keep_system: bool = option(False)
    drop_truncated: bool = option(True)
    drop_refusals: bool = option(True)
    shape: Literal["prompt-completion", "chat"] = option("prompt-completion")


DISTILL = Operation(
    name="distill",
    Options=DistillOptions,
    shapes=PROMPTED,
    needs_model=lambda options: bool(options.model),
    models=("model",),
    services=("service",),
    area="generation",
)
