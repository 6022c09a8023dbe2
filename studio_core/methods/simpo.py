"""SimPO: the answer of a pair that is likelier per token is to be the chosen one, by a margin; without a reference."""

from __future__ import annotations

from typing import Any

from studio_core.data.shapes import Shape
from studio_core.methods.base import Method
from studio_core.methods.common import DEMO_SIZE, TrainingOptions
from studio_core.methods.reference_free import CHARTS, HEADLINE, ROLES
from studio_core.options import option
from studio_core.tunings.base import Tuning


class SimPOOptions(TrainingOptions):
    # The paper's 2 to 2.5. A log-probability per token is some hundred times smaller than that of an answer, which is
    # what DPO's 0.1 is for.
    beta: float = option(2.0, at_least=0.01, at_most=100.0, advanced=False)
    # The authors' own start, between 0 and 1.
    margin_ratio: float = option(0.5, at_least=0.0, at_most=10.0, advanced=False)
    sft_weight: float = option(0.0, at_least=0.0, at_most=10.0, advanced=False)


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Starting values. Those for the demo models were measured; the others are the authors'."""
    full = tuning.whole
    if parameters < DEMO_SIZE:
        return {
            # Measured over three seeds: docs/preference-losses.md.
            "learning_rate": 1e-4 if full else 4e-4,
            "epochs": {"quick": 3.0, "balanced": 4.0, "thorough": 8.0}[preset],
            "batch_size": 16,
            "max_length": 512,
            # Without it an adapter on so small a model brought the new name in half of the answers only; at a rate
            # that brought it, the model forgot a third of its personas.
            "sft_weight": 0.0 if full else 1.0,
        }
    # The authors searched 3e-7 to 1e-6 for 7 to 8 billion parameters; at 1e-5 such a model wrote nonsense.
    rate = 5e-6 if parameters < 300e6 else 1e-6 if parameters < 2e9 else 6e-7
    return {
        "learning_rate": rate if full else 2e-5 if parameters < 2e9 else 5e-6,
        "epochs": {"quick": 1.0, "balanced": 1.0, "thorough": 2.0}[preset],
        # As DPO: a pair is two sequences.
        "batch_size": 4 if parameters < 1e9 else 2 if parameters < 4e9 else 1,
        "gradient_accumulation": 4 if parameters < 1e9 else 8 if parameters < 4e9 else 16,
        "max_length": 1024 if preset == "quick" else 2048,
        "eval_share": 0.0 if preset == "quick" else 0.02,
        "warmup": 0.1,
    }


SIMPO = Method(
    name="simpo",
    shapes=(Shape.PREFERENCE,),
    Options=SimPOOptions,
    presets=presets,
    charts=CHARTS,
    headline=HEADLINE,
    roles=ROLES,
)
