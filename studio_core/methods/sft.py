"""Supervised fine-tuning: the model learns to write what the data wrote."""

from __future__ import annotations

from typing import Any, Literal

from studio_core.data.shapes import Shape
from studio_core.methods.base import Chart, Method
from studio_core.methods.common import DEMO_SIZE, ReplayOptions, TrainingOptions
from studio_core.methods.roles import Role
from studio_core.options import option
from studio_core.tunings.base import Tuning


class SFTOptions(ReplayOptions, TrainingOptions):
    loss_on: Literal["answers", "everything"] = option("answers", advanced=False)
    # dft: the loss of a token times its own probability (Wu et al. 2025, arXiv:2508.05629).
    loss: Literal["nll", "dft"] = option("nll")
    packing: Literal["auto", "off"] = option("auto")
    # Jain et al. 2023 (arXiv:2310.05914) use 5 to 15; 0 adds no noise.
    neftune: float = option(0.0, at_least=0.0, at_most=50.0)


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Starting values. Those for the demo models were measured; the others are what is usual."""
    full = tuning.whole
    if parameters < DEMO_SIZE:
        # Measured over three seeds: docs/demo-models-report.md. So small a model learns best at a rate far above
        # that of a large one, and an adapter on it at a higher one still.
        epochs = {"quick": 3.0, "balanced": 6.0 if full else 8.0, "thorough": 12.0}
        return {
            "learning_rate": 1.5e-3 if full else 4e-3,
            "epochs": epochs[preset],
            "batch_size": 8,
            "max_length": 512,
        }
    # The larger the model, the smaller the step that changes what it writes and keeps what it knows.
    rate = 5e-5 if parameters < 300e6 else 2e-5 if parameters < 2e9 else 1e-5
    return {
        # Adapters bear ten times the rate of full tuning (Schulman et al. 2025, LoRA Without Regret).
        "learning_rate": rate if full else 2e-4 if parameters < 14e9 else 1e-4,
        "epochs": {"quick": 1.0, "balanced": 2.0, "thorough": 3.0}[preset],
        # 16 rows a step for all sizes: what does not fit at once is accumulated.
        "batch_size": 8 if parameters < 1e9 else 4 if parameters < 4e9 else 2,
        "gradient_accumulation": 2 if parameters < 1e9 else 4 if parameters < 4e9 else 8,
        "max_length": 1024 if preset == "quick" else 2048,
        "eval_share": 0.0 if preset == "quick" else 0.02,
        # Decay pulls weights to 0: of an adapter that is the base model itself, and pulls hard enough as it is.
        "weight_decay": 0.01 if full else 0.0,
    }


SFT = Method(
    name="sft",
    shapes=(Shape.CHAT, Shape.PROMPT_COMPLETION, Shape.TEXT),
    Options=SFTOptions,
    presets=presets,
    charts=(
        Chart("loss", ("loss", "eval_loss")),
        Chart("token_accuracy", ("mean_token_accuracy", "eval_mean_token_accuracy")),
        Chart("learning_rate", ("learning_rate",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
        Chart("entropy", ("entropy",)),
    ),
    headline=("loss", "mean_token_accuracy", "tokens_per_second"),
    roles=(Role("policy", learns=True),),
    data=("held_out", "replay"),
)
