"""CPO: DPO without its reference, held by the loss of supervised fine-tuning on the chosen answers."""

from __future__ import annotations

from typing import Any

from studio_core.data.shapes import Shape
from studio_core.methods.base import Method
from studio_core.methods.common import DEMO_SIZE, TrainingOptions
from studio_core.methods.reference_free import CHARTS, HEADLINE, ROLES
from studio_core.options import option
from studio_core.tunings.base import Tuning


class CPOOptions(TrainingOptions):
    # As in the paper, and as DPO's.
    beta: float = option(0.1, at_least=0.001, at_most=10.0, advanced=False)
    # The paper's own: both terms count alike.
    sft_weight: float = option(1.0, at_least=0.0, at_most=10.0, advanced=False)
    # Below one half: at one half a pair says nothing.
    label_smoothing: float = option(0.0, at_least=0.0, at_most=0.49)


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Starting values. Those for the demo models were measured; the others are what is usual."""
    full = tuning.whole
    if parameters < DEMO_SIZE:
        return {
            # Measured: docs/preference-losses.md.
            "learning_rate": 1e-4 if full else 4e-4,
            "epochs": {"quick": 3.0, "balanced": 4.0, "thorough": 8.0}[preset],
            "batch_size": 16,
            "max_length": 512,
        }
    # Between DPO's and SFT's, since the SFT term has a target to come to rest at.
    rate = 1e-5 if parameters < 300e6 else 5e-6 if parameters < 2e9 else 1e-6
    return {
        "learning_rate": rate if full else 5e-5 if parameters < 2e9 else 1e-5,
        "epochs": {"quick": 1.0, "balanced": 1.0, "thorough": 2.0}[preset],
        # As DPO: a pair is two sequences.
        "batch_size": 4 if parameters < 1e9 else 2 if parameters < 4e9 else 1,
        "gradient_accumulation": 4 if parameters < 1e9 else 8 if parameters < 4e9 else 16,
        "max_length": 1024 if preset == "quick" else 2048,
        "eval_share": 0.0 if preset == "quick" else 0.02,
        "warmup": 0.1,
    }


CPO = Method(
    name="cpo",
    shapes=(Shape.PREFERENCE,),
    Options=CPOOptions,
    presets=presets,
    charts=CHARTS,
    headline=HEADLINE,
    roles=ROLES,
)
