"""A reward model: it learns from pairs to give the better answer the higher score. It writes nothing itself."""

from __future__ import annotations

from typing import Any

from studio_core.data.shapes import Shape
from studio_core.methods.base import Chart, Method
from studio_core.methods.common import DEMO_SIZE, TrainingOptions
from studio_core.methods.roles import Role
from studio_core.options import option
from studio_core.tunings.base import Tuning


class ScorerOptions(TrainingOptions):
    """What all reward models have, whatever they learn from."""

    # How well it does on what it never saw is the one figure that tells whether a reward model is any good.
    eval_share: float = option(0.1, at_least=0.0, at_most=0.5, advanced=False)


class RewardOptions(ScorerOptions):
    center: float = option(0.01, at_least=0.0, at_most=1.0)
    # Off: most datasets say only which answer is better.
    margin: float = option(0.0, at_least=0.0, at_most=100.0)


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Starting values. Those for the demo models were measured; the others are what is usual."""
    full = tuning.whole
    if parameters < DEMO_SIZE:
        return {
            # Near SFT's: its new output begins at random and has everything to learn.
            "learning_rate": 1e-3 if full else 3e-3,
            "epochs": {"quick": 1.0, "balanced": 2.0, "thorough": 4.0}[preset],
            "batch_size": 16,
            "max_length": 512,
        }
    return {
        # One epoch, as in InstructGPT (arXiv:2203.02155): in a second one pairs are learnt by heart.
        "learning_rate": 1e-5 if full else 1e-4,
        "epochs": {"quick": 1.0, "balanced": 1.0, "thorough": 2.0}[preset],
        "batch_size": 4 if parameters < 1e9 else 2 if parameters < 4e9 else 1,
        "gradient_accumulation": 4 if parameters < 1e9 else 8 if parameters < 4e9 else 16,
        "max_length": 1024 if preset == "quick" else 2048,
        # Always measured: the share of held-out pairs ranked right is the only figure that says what it is worth.
        "eval_share": 0.05,
        "warmup": 0.05,
    }


REWARD = Method(
    name="reward",
    shapes=(Shape.PREFERENCE,),
    Options=RewardOptions,
    presets=presets,
    charts=(
        Chart("loss", ("loss", "eval_loss")),
        Chart("preference_accuracy", ("accuracy", "eval_accuracy")),
        Chart("scores", ("margin", "eval_margin", "mean_reward")),
        Chart("learning_rate", ("learning_rate",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
    ),
    headline=("loss", "accuracy", "margin", "tokens_per_second"),
    roles=(Role("reward", learns=True, output="score", sequences=2),),
)
