"""ORPO: supervised fine-tuning and preference in one step, from a base model on; without a reference."""

from __future__ import annotations

from typing import Any

from studio_core.data.shapes import Shape
from studio_core.methods.base import Method
from studio_core.methods.common import DEMO_SIZE, TrainingOptions
from studio_core.methods.pairs import starting_values
from studio_core.methods.reference_free import CHARTS, HEADLINE, ROLES
from studio_core.options import option
from studio_core.tunings.base import Tuning


class ORPOOptions(TrainingOptions):
    # Lambda of the paper, which takes 0.1 to 0.25: the SFT term does most of the work.
    odds_weight: float = option(0.1, at_least=0.001, at_most=10.0, advanced=False)


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Starting values. Those for the demo models were measured; the others are what is usual."""
    # The paper's 8e-6 for 7 billion parameters is near SFT's: it is mostly SFT, and takes as many epochs.
    full = 3e-5 if parameters < 300e6 else 1e-5 if parameters < 2e9 else 8e-6
    adapter = 1e-4 if parameters < 2e9 else 5e-5
    values = starting_values(preset, tuning, parameters, full=full, adapter=adapter)
    if parameters >= DEMO_SIZE:
        values["epochs"] = {"quick": 1.0, "balanced": 2.0, "thorough": 3.0}[preset]
    return values


ORPO = Method(
    name="orpo",
    shapes=(Shape.PREFERENCE,),
    Options=ORPOOptions,
    presets=presets,
    charts=CHARTS,
    headline=HEADLINE,
    roles=ROLES,
)
