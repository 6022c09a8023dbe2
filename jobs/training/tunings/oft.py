"""OFT by PEFT: rotations by Cayley's transform, whose inverse is summed up as a series of five terms."""

from __future__ import annotations

from typing import Any

from peft import OFTConfig

from jobs.training.tunings import Implementation
from studio_core.runs.spec import RunSpec
from studio_core.tunings.oft import OftOptions


def adapter(run: RunSpec, model: Any, options: OftOptions) -> OFTConfig:
    # r counts the blocks of a layer: of it and their size PEFT wants one, and the size means the same everywhere.
    return OFTConfig(r=0, oft_block_size=options.oft_block, target_modules="all-linear")


IMPLEMENTATION = Implementation(adapter=adapter)
