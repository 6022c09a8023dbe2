"""CPO: DPO without its reference, held by the loss of supervised fine-tuning on the chosen answers."""

from __future__ import annotations

from typing import Any

from studio_core.data.shapes import Shape
from studio_core.methods.base import Method
from studio_core.methods.common import TrainingOptions
from studio_core.methods.pairs import starting_values
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
    # Between DPO's and SFT's, since the SFT term has a target to come to rest at.
    full = 1e-5 if parameters < 300e6 else 5e-6 if parameters < 2e9 else 1e-6
    adapter = 5e-5 if parameters < 2e9 else 1e-5
    return starting_values(preset, tuning, parameters, full=full, adapter=adapter)


CPO = Method(
    name="cpo",
    shapes=(Shape.PREFERENCE,),
    Options=CPOOptions,
    presets=presets,
    charts=CHARTS,
    headline=HEADLINE,
    roles=ROLES,
)
