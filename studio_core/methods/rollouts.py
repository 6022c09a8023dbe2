"""What methods have in common that learn from answers of their own: how these are drawn, counted and shown."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from studio_core.base.errors import BadInput
from studio_core.data.shapes import Shape
from studio_core.environments import ENVIRONMENTS
from studio_core.environments.base import Environment
from studio_core.methods.base import Chart
from studio_core.methods.common import DEMO_SIZE, TrainingOptions
from studio_core.methods.roles import Role
from studio_core.options import option
from studio_core.rewards import DEFAULT, OF_TRAININGS, service_of
from studio_core.rewards.reward_model import REWARD_MODEL as BY_MODEL
from studio_core.runs.spec import RewardChoice, TrainSpec
from studio_core.tunings.base import Tuning

SHAPES = (Shape.PROMPT_ONLY, Shape.PROMPT_COMPLETION, Shape.CHAT)
"""Only the prompts are answered; answers that a record has are references for the rewards."""


REWARD_MODEL = Role("reward", output="score", passes=1, optional=True)
"""For the reward of that name; a run that does not choose it has none."""

JUDGE = Role("judge", passes=1, optional=True)
"""For the rewards that ask a judge; a run whose judges are services has none."""


class RolloutOptions(TrainingOptions):
    # Answers, as TRL counts: a batch of 32 with 8 generations holds four prompts.
    batch_size: int = option(8, at_least=2, at_most=1024, unit="answers", advanced=False)
    num_generations: int = option(8, at_least=2, at_most=64, unit="answers", advanced=False)
    max_new_tokens: int = option(256, at_least=1, at_most=32_768, unit="tokens", advanced=False)
    # Below it the answers of a group are too much alike to tell good from bad.
    temperature: float = option(1.0, at_least=0.05, at_most=2.0)
    normalize_parts: bool = option(False)
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
    def told_tools(self) -> str | None:
        """Definitions of tools that stand in every prompt, as the column ``tools`` holds them; None: each record's
        own."""
        return None

    @property
    def prompts_of_step(self) -> int:
        return self.effective_batch // self.num_generations

    def steps_of_epoch(self, rows: int, gpus: int = 1) -> int:
        """Every step takes whole groups; prompts that do not fill one are left for the next epoch's order."""
        return rows // (self.prompts_of_step * gpus)


class EnvironmentOptions(RolloutOptions):
    """Of methods that can learn from answers over several turns."""

    environment: Literal["none", "calculator", "world_search", "demo_world"] = option("none")
    # A call, a second one after a mistake or for a second step, and the answer; each turn reads all before it again.
    max_turns: int = option(4, at_least=2, at_most=32, unit="turns")
    tools_in_prompt: bool = option(True)

    @property
    def chosen_environment(self) -> Environment | None:
        return ENVIRONMENTS.get(self.environment)

    @property
    def told_tools(self) -> str | None:
        chosen = self.chosen_environment
        if chosen is None:
            return None
        return chosen.definitions if self.tools_in_prompt else ""


def rewards_of(spec: TrainSpec) -> list[RewardChoice]:
    """What a training learns from: the rewards that were asked for, else the reward model that it was given alone, else
    whether the reference answer was hit."""
    return spec.rewards or [RewardChoice(name=BY_MODEL.name if REWARD_MODEL.name in spec.models else DEFAULT)]


def services_of(spec: TrainSpec) -> set[str]:
    """The services that the rewards of a training ask."""
    return {service_of(choice) for choice in spec.rewards} - {""}


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


PARTS = {f"rewards/{name}/mean": f"rewards.{name}" for name in OF_TRAININGS}
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
TOOL_CHART = Chart("tools", ("tools/call_frequency", "tools/failure_frequency"), needs="environment")
"""Of methods with ``EnvironmentOptions``."""
HEADLINE = ("reward", "completions/mean_length", "entropy", "tokens_per_second")
ROLES = (
    # The pass without gradient is the writing of answers.
    Role("policy", learns=True, passes=1),
    Role("reference", passes=1, begins_as="policy", unless_zero="beta"),
    REWARD_MODEL,
    JUDGE,
)
