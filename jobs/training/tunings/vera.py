"""VeRA by PEFT. The random matrices are saved with the vectors, so that they are the same on every machine."""

from __future__ import annotations

from typing import Any

from peft import VeraConfig

from jobs.training.tunings import Implementation
from studio_core.runs.spec import RunSpec
from studio_core.tunings.vera import VeraOptions


def adapter(run: RunSpec, model: Any, options: VeraOptions) -> VeraConfig:
    # PEFT draws A and B from a seed of its own: adapters that share a base must have the same.
    return VeraConfig(r=options.vera_rank, target_modules="all-linear")


IMPLEMENTATION = Implementation(adapter=adapter)
