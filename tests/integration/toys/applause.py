"""A toy method that learns from pairs: it is what votes of a labelling project can be made into."""

from __future__ import annotations

from typing import Any

from studio_core.data.shapes import Shape
from studio_core.methods.base import Chart, Method
from studio_core.methods.common import TrainingOptions
from studio_core.methods.roles import Role
from studio_core.options import option
from studio_core.tunings.base import Tuning


class ApplauseOptions(TrainingOptions):
    hands: float = option(0.1, at_least=0.01, at_most=10.0, advanced=False)


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    return {"learning_rate": 1e-3, "max_length": 128}


METHOD = Method(
    name="applause",
    shapes=(Shape.PREFERENCE,),
    Options=ApplauseOptions,
    presets=presets,
    charts=(Chart("clapping", ("loss", "rewards/margins")), Chart("learning_rate", ("learning_rate",))),
    headline=("loss", "rewards/margins"),
    roles=(
        Role("policy", learns=True, sequences=2),
        Role("reference", sequences=2, passes=1, begins_as="policy"),
    ),
    package="tests.integration.toys.training",
)

TEXTS = {
    "methods.applause": "Applause",
    "methods.applause.help": "Claps for the better answer.",
    "methods.applause.hands": "Hands",
    "methods.applause.hands.help": "How loud a pair can clap.",
    "methods.chart.clapping": "Clapping",
    "methods.chart.clapping.help": "The louder the better.",
}
