"""Proximal policy optimisation: a model learns from its own answers, each against what a value model expected."""

from __future__ import annotations

from typing import Any, Literal

from studio_core.data.shapes import Shape
from studio_core.methods import rollouts
from studio_core.methods.base import Chart, Method
from studio_core.methods.common import DEMO_SIZE, ReplayOptions
from studio_core.methods.roles import Role
from studio_core.methods.rollouts import RolloutOptions
from studio_core.options import option
from studio_core.runs.spec import RoleName
from studio_core.tunings.base import Tuning


class PPOOptions(ReplayOptions, RolloutOptions):
    # Nothing is compared within a group: more prompts tell more than more answers to one.
    num_generations: int = option(1, at_least=1, at_most=64, unit="answers")
    # Huang et al. 2024 (arXiv:2403.17031) use 0.05; a coefficient of 0 needs no reference in memory.
    kl_coef: float = option(0.05, at_least=0.0, at_most=10.0, advanced=False)
    # Ziegler et al. 2019 (arXiv:1909.08593) steer towards 6 nats a sequence; 0: the coefficient stays as it is.
    kl_target: float = option(0.0, at_least=0.0, at_most=1000.0, unit="nats")
    kl_horizon: int = option(10_000, at_least=1, at_most=10_000_000, unit="answers")
    num_iterations: int = option(4, at_least=1, at_most=16, unit="updates")
    minibatches: int = option(1, at_least=1, at_most=64)
    epsilon: float = option(0.2, at_least=0.0, at_most=1.0)
    value_clip: float = option(0.2, at_least=0.0, at_most=100.0)
    value_learning_rate: float = option(1e-5, at_least=1e-8, at_most=1.0, advanced=False)
    value_start: Literal["policy", "reward"] = option("policy")
    value_warmup: int = option(0, at_least=0, at_most=10_000, unit="rounds")
    gamma: float = option(1.0, at_least=0.0, at_most=1.0)
    # With a value model that expects nothing yet, anything below 1 lets early tokens of long answers look bad, and the
    # model learns brevity until the value model has learnt (measured; VC-PPO, arXiv:2503.01491).
    gae_lambda: float = option(1.0, at_least=0.0, at_most=1.0)
    whiten_advantages: bool = option(True)
    # An answer that was cut has no end that could be judged (the original implementation gives it -1).
    missing_end_penalty: float = option(1.0, at_least=0.0, at_most=100.0)

    def total_steps(self, rows: int, gpus: int = 1, mixed_in: int = 0) -> int:
        """What is mixed in is learnt beside the answers of a round, and makes no rounds of its own."""
        return super().total_steps(rows, gpus)

    @property
    def times_learnt(self) -> int:
        return self.num_iterations

    @property
    def updates_of_step(self) -> int:
        return self.num_iterations * self.minibatches

    def rows_at_work(self, batch_size: int) -> int:
        """No more than one minibatch."""
        return min(batch_size, -(-batch_size * self.gradient_accumulation // self.minibatches))

    @property
    def fresh_critic(self) -> bool:
        """Whether a value model that knows nothing yet decides which tokens were good."""
        return self.gae_lambda < 1 and self.value_start == "policy" and not self.value_warmup


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Starting values: for the demo models measured (docs/demo-models-report.md), for others what is usual."""
    values = rollouts.presets(preset, tuning, parameters)
    if parameters < DEMO_SIZE:
        return {
            **values,
            # With LoRA 1e-3 learns sums as well, but takes ten points of facts along.
            "learning_rate": 1e-4 if tuning.whole else 5e-4,
            "value_learning_rate": 3e-4 if tuning.whole else 2e-3,
            "epochs": {"quick": 0.5, "balanced": 1.0, "thorough": 2.0}[preset],
            "num_iterations": 1,
            "minibatches": 2,
            "kl_coef": 0.02,
        }
    # The value model has to keep up with the policy: it learns at ten times the rate where that is usual (VC-PPO).
    return {**values, "value_learning_rate": 10 * values["learning_rate"]}


def needed(options: PPOOptions) -> tuple[RoleName, ...]:
    """Who starts as a reward model needs one."""
    return ("reward",) if options.value_start == "reward" else ()


PPO = Method(
    name="ppo",
    shapes=(Shape.PROMPT_ONLY, Shape.PROMPT_COMPLETION, Shape.CHAT),
    Options=PPOOptions,
    presets=presets,
    charts=(
        Chart("reward", ("reward", "eval_reward")),
        Chart("reward_parts", tuple(rollouts.PARTS), rollouts.PARTS),
        Chart("written", ("completions/mean_length",), {"completions/mean_length": "written_tokens"}),
        Chart("cut", ("completions/clipped_ratio",), {"completions/clipped_ratio": "cut_share"}),
        Chart("sequence_kl", ("sequence_kl",), needs="kl_coef"),
        Chart("kl_coef", ("kl_coef",), needs="kl_target"),
        Chart("explained_variance", ("explained_variance",)),
        Chart("value_loss", ("value_loss",)),
        Chart("clipped", ("clip_ratio/region_mean", "clip_ratio/value")),
        Chart("replay", ("replay_loss",), needs="replay"),
        Chart("entropy", ("entropy",)),
        Chart("learning_rate", ("learning_rate",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
    ),
    headline=("reward", "completions/mean_length", "sequence_kl", "tokens_per_second"),
    roles=(
        # The passes without gradient are the writing of answers, and how likely they were then.
        Role("policy", learns=True, passes=2),
        Role("reference", passes=1, begins_as="policy", unless_zero="kl_coef"),
        Role("value", learns=True, output="score", passes=1, begins_as="policy", in_turn=True),
        rollouts.REWARD_MODEL,
        rollouts.JUDGE,
    ),
    data=("held_out", "replay"),
    needs=needed,
    rewards=True,
    several_gpus=False,
)
