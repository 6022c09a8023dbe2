"""How each way of tuning is carried out: one file for each, the twin of that in ``studio_core/tunings``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from peft import PeftConfig

from studio_core.runs.spec import RunSpec
from studio_core.tunings.base import Tuning


@dataclass(frozen=True)
class Implementation:
    """What each file here names ``IMPLEMENTATION``; one that needs neither part has an empty one."""

    quantization: Callable[[str], Any] | None = None
    """``(precision)`` -> how transformers quantises the weights while it loads them."""
    adapter: Callable[[RunSpec, Any, Any], PeftConfig] | None = None
    """``(run, model, options)`` -> what learns beside the frozen weights, but for the kind of task."""


def implementation(tuning: Tuning) -> Implementation:
    """How that way of tuning is carried out."""
    twin: Implementation = import_module(f"{tuning.package}.{tuning.name}").IMPLEMENTATION
    return twin
