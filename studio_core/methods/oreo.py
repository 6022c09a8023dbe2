"""OREO, offline reasoning optimisation: a model learns from answers that have been given and rated once."""

from __future__ import annotations

from typing import Any, Literal

from studio_core.data.shapes import HIGHEST_SCORE, LOWEST_SCORE, Record, Shape
from studio_core.methods.base import Chart, Method
from studio_core.methods.common import DEMO_SIZE, TrainingOptions
from studio_core.methods.roles import Role
from studio_core.options import option
from studio_core.tunings.base import Tuning

Level = Literal["token", "step", "response"]


class OREOOptions(TrainingOptions):
    level: Level = option("token", advanced=False)
    # Both as the paper's code has them, for rewards from 0 to 1.
    beta: float = option(0.03, at_least=0.001, at_most=10.0, advanced=False)
    kl_coef: float = option(0.01, at_least=0.0, at_most=10.0)
    # The value begins at nothing and must lead: several times the rate of the model.
    value_rate: float = option(1e-3, at_least=1e-8, at_most=1.0)


def reward_of(record: Record) -> float:
    """From 0 to 1: where a score stands between the lowest and the highest, or whether an answer was good."""
    if "label" in record:
        return float(record["label"])
    return (float(record["score"]) - LOWEST_SCORE) / (HIGHEST_SCORE - LOWEST_SCORE)


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Starting values: for the demo models measured (docs/demo-models-report.md), for others what the paper has."""
    # With an adapter not measured yet: five times the rate, as the other methods have it there.
    full = tuning.whole
    if parameters < DEMO_SIZE:
        return {
            "learning_rate": 2e-4 if full else 1e-3,
            "epochs": {"quick": 1.0, "balanced": 1.0, "thorough": 2.0}[preset],
            "batch_size": 32,
            "max_length": 512,
        }
    return {
        "learning_rate": 5e-6 if full else 5e-5,
        "epochs": {"quick": 1.0, "balanced": 1.0, "thorough": 2.0}[preset],
        # The paper's step has 128 answers.
        "batch_size": 8 if parameters < 1e9 else 4 if parameters < 4e9 else 2,
        "gradient_accumulation": 16 if parameters < 1e9 else 32 if parameters < 4e9 else 64,
        "max_length": 1024 if preset == "quick" else 2048,
        "eval_share": 0.0 if preset == "quick" else 0.02,
    }


_KINDS = {"rewards/chosen": "good", "rewards/rejected": "bad"}

OREO = Method(
    name="oreo",
    shapes=(Shape.SCORED, Shape.UNPAIRED_PREFERENCE),
    Options=OREOOptions,
    presets=presets,
    charts=(
        Chart("residual", ("loss", "eval_loss")),
        Chart("margins", ("rewards/margins", *_KINDS), _KINDS),
        Chart("drift", ("kl",)),
        Chart("entropy", ("entropy",)),
        Chart("learning_rate", ("learning_rate",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
    ),
    headline=("loss", "rewards/margins", "kl", "tokens_per_second"),
    # The value is an output of a few numbers on top of the reference, and no model of its own.
    roles=(Role("policy", learns=True), Role("reference", passes=1, begins_as="policy")),
    several_gpus=False,
)
