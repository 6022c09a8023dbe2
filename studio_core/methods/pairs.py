"""What methods have in common that learn from preference pairs: what their presets begin with."""

from __future__ import annotations

from typing import Any

from studio_core.methods.common import DEMO_SIZE
from studio_core.tunings.base import Tuning


def starting_values(
    preset: str, tuning: Tuning, parameters: int, *, full: float, adapter: float
) -> dict[str, Any]:
    """Values for a base model of that size; ``full`` and ``adapter`` are the rates for models that are no demo models.

    Those for the demo models were measured (docs/demo-models-report.md, docs/preference-losses.md). Their rate is far
    below SFT's: a preference has no target to come to rest at, only a margin that grows.
    """
    if parameters < DEMO_SIZE:
        return {
            "learning_rate": 1e-4 if tuning.whole else 4e-4,
            "epochs": {"quick": 3.0, "balanced": 4.0, "thorough": 8.0}[preset],
            "batch_size": 16,
            "max_length": 512,
        }
    return {
        "learning_rate": full if tuning.whole else adapter,
        "epochs": {"quick": 1.0, "balanced": 1.0, "thorough": 2.0}[preset],
        # Half of SFT's rows at once, since a pair is two sequences; 16 pairs a step.
        "batch_size": 4 if parameters < 1e9 else 2 if parameters < 4e9 else 1,
        "gradient_accumulation": 4 if parameters < 1e9 else 8 if parameters < 4e9 else 16,
        "max_length": 1024 if preset == "quick" else 2048,
        "eval_share": 0.0 if preset == "quick" else 0.02,
        # The first margins are noise around 0; DPO's paper too warms up long (150 steps).
        "warmup": 0.1,
    }
