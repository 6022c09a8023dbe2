"""Supervised fine-tuning held near to the model as it was: less of what it could before is forgotten."""

from __future__ import annotations

from typing import Any, Literal

from studio_core.data.shapes import Shape
from studio_core.methods import sft
from studio_core.methods.base import Chart, Method
from studio_core.methods.common import ReplayOptions, TrainingOptions
from studio_core.methods.roles import Comparison, Role
from studio_core.options import option
from studio_core.tunings.base import Tuning

MOST_LOGITS = 1 << 24
"""Logits of each model that are there at once on a CPU: with what is made of them 28 bytes each, 470 MB in all. More
are computed in blocks. On a GPU TRL's kernel has blocks of its own."""


class SFTKLOptions(ReplayOptions, TrainingOptions):
    # Measured on the demo models: docs/demo-models-report.md has the curve.
    kl_coef: float = option(0.3, at_least=0.0, at_most=100.0, advanced=False)
    kl_direction: Literal["forward", "reverse"] = option("forward", advanced=False)
    # Everything: prompts too are text that the base model knows how to go on with.
    kl_on: Literal["everything", "answers"] = option("everything")
    loss_on: Literal["answers", "everything"] = option("answers", advanced=False)


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Those of SFT."""
    return sft.presets(preset, tuning, parameters)


SFT_KL = Method(
    name="sft-kl",
    shapes=(Shape.CHAT, Shape.PROMPT_COMPLETION, Shape.TEXT),
    Options=SFTKLOptions,
    presets=presets,
    charts=(
        Chart("loss", ("loss", "eval_loss")),
        Chart("kl_to_base", ("kl", "eval_kl")),
        Chart("token_accuracy", ("mean_token_accuracy", "eval_mean_token_accuracy")),
        Chart("learning_rate", ("learning_rate",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
        Chart("entropy", ("entropy",)),
    ),
    headline=("loss", "kl", "mean_token_accuracy", "tokens_per_second"),
    roles=(
        Role("policy", learns=True),
        Role("reference", passes=1, begins_as="policy", comparison=Comparison(28, at_once=MOST_LOGITS)),
    ),
    data=("held_out", "replay"),
)
