"""Prefix tuning by PEFT: keys and values before every prompt, learnt by themselves."""

from __future__ import annotations

from typing import Any

from peft import PrefixTuningConfig

from jobs.training.tunings import Implementation
from studio_core.runs.spec import RunSpec
from studio_core.tunings.virtual_tokens import VirtualTokenOptions


def adapter(run: RunSpec, model: Any, options: VirtualTokenOptions) -> PrefixTuningConfig:
    # Without the network of the paper (prefix_projection): PEFT would not save it, and no run could be resumed.
    return PrefixTuningConfig(num_virtual_tokens=options.virtual_tokens)


IMPLEMENTATION = Implementation(adapter=adapter)
