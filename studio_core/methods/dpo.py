"""Direct preference optimisation: the model learns to prefer one answer of a pair over the other."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from studio_core.base.errors import BadInput
from studio_core.data.shapes import Shape
from studio_core.methods.base import Chart, Method
from studio_core.methods.common import DEMO_SIZE, TrainingOptions
from studio_core.methods.roles import Role
from studio_core.options import option
from studio_core.tunings.base import Tuning

Loss = Literal[
    "sigmoid", "sigmoid_norm", "ipo", "hinge", "robust", "apo_zero", "apo_down", "exo_pair", "nca_pair",
    "bco_pair", "sppo_hard", "aot", "discopop",
]  # fmt: skip


class DPOOptions(TrainingOptions):
    # The paper's own value: how dear it is to leave the reference. 0.01 hardly holds the model, 1 hardly lets it move.
    beta: float = option(0.1, at_least=0.001, at_most=10.0, advanced=False)
    loss: Loss = option("sigmoid", advanced=False)
    sft_weight: float = option(0.0, at_least=0.0, at_most=10.0, advanced=False)
    # Below one half: at one half a pair says nothing.
    label_smoothing: float = option(0.0, at_least=0.0, at_most=0.49)
    precompute_reference: bool = option(False)

    @model_validator(mode="after")
    def _smoothing_fits(self) -> DPOOptions:
        if self.loss == "exo_pair" and self.label_smoothing == 0.0:
            raise BadInput("methods.dpo.needs_smoothing", loss=self.loss)
        return self


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Starting values. Those for the demo models were measured; the others are what is usual.

    The SFT term keeps a new word from being reached only by pushing the old one down: with the
    plain loss a small model can end up preferring neither answer but a third one.
    """
    full = tuning.whole
    if parameters < DEMO_SIZE:
        return {
            # Measured over three seeds: docs/demo-models-report.md. Far below SFT's rate: DPO has no target
            # to come to rest at, only a margin that grows.
            "learning_rate": 1e-4 if full else 4e-4,
            "epochs": {"quick": 3.0, "balanced": 4.0, "thorough": 8.0}[preset],
            "batch_size": 16,
            "max_length": 512,
            "sft_weight": 1.0,
        }
    # A tenth of SFT's and less, as in the paper (1e-6 for its models of a few billion).
    rate = 5e-6 if parameters < 300e6 else 1e-6 if parameters < 2e9 else 5e-7
    return {
        "learning_rate": rate if full else 2e-5 if parameters < 2e9 else 5e-6,
        "epochs": {"quick": 1.0, "balanced": 1.0, "thorough": 2.0}[preset],
        # Half of SFT's rows at once, since a pair is two sequences; 16 pairs a step.
        "batch_size": 4 if parameters < 1e9 else 2 if parameters < 4e9 else 1,
        "gradient_accumulation": 4 if parameters < 1e9 else 8 if parameters < 4e9 else 16,
        "max_length": 1024 if preset == "quick" else 2048,
        "eval_share": 0.0 if preset == "quick" else 0.02,
        # The first margins are noise around 0; the paper too warms up long (150 steps).
        "warmup": 0.1,
    }


DPO = Method(
    name="dpo",
    shapes=(Shape.PREFERENCE,),
    Options=DPOOptions,
    presets=presets,
    charts=(
        Chart("loss", ("loss", "eval_loss")),
        Chart("margins", ("rewards/margins", "rewards/chosen", "rewards/rejected")),
        Chart("preference_accuracy", ("rewards/accuracies", "eval_rewards/accuracies")),
        Chart("logps", ("logps/chosen", "logps/rejected")),
        Chart("token_accuracy", ("mean_token_accuracy",)),
        Chart("learning_rate", ("learning_rate",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
        Chart("entropy", ("entropy",)),
    ),
    headline=("loss", "mean_token_accuracy", "rewards/accuracies", "rewards/margins", "tokens_per_second"),
    roles=(
        Role("policy", learns=True, sequences=2),
        Role("reference", sequences=2, passes=1, begins_as="policy"),
    ),
)
