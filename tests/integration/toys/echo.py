"""A toy method: supervised fine-tuning whose loss is multiplied by an option of its own."""

from __future__ import annotations

from typing import Any

from studio_core.data.shapes import Shape
from studio_core.methods.base import Chart, Method
from studio_core.methods.common import TrainingOptions
from studio_core.methods.roles import Role
from studio_core.options import option
from studio_core.tunings.base import Tuning


class EchoOptions(TrainingOptions):
    loudness: float = option(2.0, at_least=0.1, at_most=10.0, advanced=False)


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    return {"learning_rate": 1e-3, "max_length": 128}


METHOD = Method(
    name="echo",
    shapes=(Shape.CHAT,),
    Options=EchoOptions,
    presets=presets,
    charts=(Chart("loudness", ("loss", "eval_loss")), Chart("learning_rate", ("learning_rate",))),
    headline=("loss", "tokens_per_second"),
    roles=(Role("policy", learns=True),),
    package="tests.integration.toys.training",
)

TEXTS = {
    "methods.echo": "Echo",
    "methods.echo.help": "Repeats what it hears.",
    "methods.echo.loudness": "Loudness",
    "methods.echo.loudness.help": "What the loss is multiplied by.",
    "methods.chart.loudness": "Loudness",
    "methods.chart.loudness.help": "The louder the higher.",
}
