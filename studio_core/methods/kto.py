"""Kahneman-Tversky optimisation: the model learns from single answers that were called good or bad."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from studio_core.base.errors import BadInput
from studio_core.data import parquet
from studio_core.data.shapes import Shape
from studio_core.methods.base import Chart, Method
from studio_core.methods.common import DEMO_SIZE, TrainingOptions
from studio_core.methods.roles import Role
from studio_core.options import option
from studio_core.runs.spec import ResolvedDataset
from studio_core.tunings.base import Tuning


class KTOOptions(TrainingOptions):
    # One row alone has no other answer by which to tell how far the model has drifted.
    batch_size: int = option(8, at_least=2, at_most=1024, unit="rows", advanced=False)
    beta: float = option(0.1, at_least=0.001, at_most=10.0, advanced=False)
    loss: Literal["kto", "apo_zero_unpaired"] = option("kto", advanced=False)
    balance: bool = option(True)
    good_weight: float = option(1.0, at_least=0.01, at_most=100.0)
    bad_weight: float = option(1.0, at_least=0.01, at_most=100.0)

    def weights(self, good: int, bad: int) -> tuple[float, float]:
        """How much one good and one bad answer count, of so many: balanced, both kinds count alike.

        Within the range that the paper advises (equation 8 of https://arxiv.org/abs/2402.01306).
        """
        most = max(good, bad)
        even = (most / good, most / bad) if self.balance else (1.0, 1.0)
        return self.good_weight * even[0], self.bad_weight * even[1]


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Starting values. Those for the demo models were measured; the others are what is usual."""
    full = tuning.whole
    if parameters < DEMO_SIZE:
        return {
            # Measured over three seeds, as those of DPO: docs/demo-models-report.md.
            "learning_rate": 6e-5 if full else 2e-4,
            "epochs": {"quick": 3.0, "balanced": 4.0, "thorough": 8.0}[preset],
            "batch_size": 16,
            "max_length": 512,
        }
    rate = 5e-6 if parameters < 300e6 else 1e-6 if parameters < 2e9 else 5e-7
    return {
        "learning_rate": rate if full else 2e-5 if parameters < 2e9 else 5e-6,
        "epochs": {"quick": 1.0, "balanced": 1.0, "thorough": 2.0}[preset],
        # Twice DPO's rows at once, each one sequence; the drift is a mean over the step and needs many.
        "batch_size": 8 if parameters < 1e9 else 4 if parameters < 4e9 else 2,
        "gradient_accumulation": 4 if parameters < 1e9 else 8 if parameters < 4e9 else 16,
        "max_length": 1024 if preset == "quick" else 2048,
        "eval_share": 0.0 if preset == "quick" else 0.02,
        "warmup": 0.1,
    }


# TRL calls what is good chosen, here too, where nobody had a choice.
REWARDS = {"rewards/chosen": "good", "rewards/rejected": "bad"}
LOGPS = {"logps/chosen": "good", "logps/rejected": "bad"}


def against(dataset: ResolvedDataset) -> list[BadInput]:
    """Answers that are all good, or all bad, have nothing to be told from."""
    good = parquet.good_answers(Path(dataset.path))
    if good in (0, dataset.rows):
        return [BadInput("methods.kto.one_kind_only", dataset=dataset.name, rows=dataset.rows, good=good)]
    return []


KTO = Method(
    name="kto",
    shapes=(Shape.UNPAIRED_PREFERENCE,),
    Options=KTOOptions,
    presets=presets,
    charts=(
        Chart("loss", ("loss", "eval_loss")),
        Chart("margins", ("rewards/margins", *REWARDS), REWARDS),
        Chart("drift", ("kl",)),
        Chart("logps", tuple(LOGPS), LOGPS),
        Chart("learning_rate", ("learning_rate",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
        Chart("entropy", ("entropy",)),
    ),
    headline=("loss", "rewards/margins", "tokens_per_second"),
    roles=(
        Role("policy", learns=True, passes=1),  # Once more with answers to other prompts, as the reference.
        Role("reference", passes=2, begins_as="policy"),
    ),
    against=against,
)
