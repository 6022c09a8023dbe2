"""SimPO: the answer of a pair that is likelier per token is to be the chosen one, by a margin; without a reference."""

from __future__ import annotations

from typing import Any

from studio_core.data.shapes import Shape
from studio_core.methods.base import Method
from studio_core.methods.common import DEMO_SIZE, TrainingOptions
from studio_core.methods.pairs import starting_values
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
    # The authors searched 3e-7 to 1e-6 for 7 to 8 billion parameters; at 1e-5 such a model wrote nonsense.
    full = 5e-6 if parameters < 300e6 else 1e-6 if parameters < 2e9 else 6e-7
    adapter = 2e-5 if parameters < 2e9 else 5e-6
    values = starting_values(preset, tuning, parameters, full=full, adapter=adapter)
    if parameters < DEMO_SIZE:
        # Without it an adapter on so small a model brought the new name in half of the answers only; at a rate
        # that brought it, the model forgot a third of its personas.
        values["sft_weight"] = 0.0 if tuning.whole else 1.0
    return values


SIMPO = Method(
    name="simpo",
    shapes=(Shape.PREFERENCE,),
    Options=SimPOOptions,
    presets=presets,
    charts=CHARTS,
    headline=HEADLINE,
    roles=ROLES,
)
