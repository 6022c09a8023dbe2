"""What methods have in common that learn from answers of their own: how these are drawn, counted and shown."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from studio_core.base.errors import BadInput
from studio_core.data.shapes import Shape
from studio_core.methods.base import Chart
from studio_core.methods.common import DEMO_SIZE, TrainingOptions
from studio_core.options import option
from studio_core.rewards import DEFAULT, REWARDS
from studio_core.runs.spec import RewardChoice, TrainSpec
from studio_core.tunings.base import Tuning

SHAPES = (Shape.PROMPT_ONLY, Shape.PROMPT_COMPLETION, Shape.CHAT)
"""Only the prompts are answered; answers that a record has are references for the rewards."""


class RolloutOptions(TrainingOptions):
    # Answers, as TRL counts: a batch of 32 with 8 generations holds four prompts.
    batch_size: int = option(8, at_least=2, at_most=1024, unit="answers", advanced=False)
    num_generations: int = option(8, at_least=2, at_most=64, unit="answers", advanced=False)
    max_new_tokens: int = option(256, at_least=1, at_most=32_768, unit="tokens", advanced=False)
    # Below it the answers of a group are too much alike to tell good from bad.
    temperature: float = option(1.0, at_least=0.05, at_most=2.0)
    # 10,000 answers of some hundred characters are a few megabytes.
    rollouts_kept: int = option(10_000, at_least=100, at_most=1_000_000, unit="answers")

    @model_validator(mode="after")
    def _whole_groups(self) -> RolloutOptions:
        if self.effective_batch % self.num_generations:
            raise BadInput(
                "methods.rollouts.parted_groups",
                batch=self.effective_batch,
                generations=self.num_generations,
            )
        return self

    @property
    def prompts_of_step(self) -> int:
        return self.effective_batch // self.num_generations

    def steps_of_epoch(self, rows: int, gpus: int = 1) -> int:
        """Every step takes whole groups; prompts that do not fill one are left for the next epoch's order."""
        return rows // (self.prompts_of_step * gpus)


def rewards_of(spec: TrainSpec) -> list[RewardChoice]:
    """What a training learns from: the rewards that were asked for, else whether the reference answer was hit."""
    return spec.rewards or [RewardChoice(name=DEFAULT)]


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Starting values: for the demo models measured (docs/demo-models-report.md), for others what is usual."""
    full = tuning.whole
    if parameters < DEMO_SIZE:
        return {
            "learning_rate": 5e-5 if full else 2e-4,
            "epochs": {"quick": 0.25, "balanced": 0.5, "thorough": 1.0}[preset],
            "batch_size": 32,
            "max_length": 512,
            "max_new_tokens": 48,
            "scheduler": "constant",
            "warmup": 0.0,
        }
    # TRL begins with 1e-6; "LoRA without regret" (Schulman et al. 2025): RL needs ten times the rate with an adapter.
    return {
        "learning_rate": 1e-6 if full else 1e-5,
        "batch_size": 16 if parameters < 1e9 else 8,
        "gradient_accumulation": 2 if parameters < 1e9 else 4,
        "max_length": 1024 if preset == "quick" else 2048,
        "max_new_tokens": 256 if preset == "quick" else 512,
        "scheduler": "constant_with_warmup",
    }


PARTS = {f"rewards/{name}/mean": f"rewards.{name}" for name in REWARDS}
"""What TRL calls the mean of each reward, and the key of its title."""

CHARTS = (
    Chart("reward", ("reward", "eval_reward")),
    Chart("reward_parts", tuple(PARTS), PARTS),
    Chart("groups", ("groups/all_best", "groups/all_worst", "groups/alike")),
    Chart("written", ("completions/mean_length",), {"completions/mean_length": "written_tokens"}),
    Chart("cut", ("completions/clipped_ratio",), {"completions/clipped_ratio": "cut_share"}),
    Chart("drift", ("kl",), needs="beta"),
    Chart("entropy", ("entropy",)),
    Chart("learning_rate", ("learning_rate",)),
    Chart("grad_norm", ("grad_norm",)),
    Chart("speed", ("tokens_per_second",)),
)
HEADLINE = ("reward", "completions/mean_length", "entropy", "tokens_per_second")
