"""Trust region policy optimisation: as GRPO, with steps as long as a limit of the KL divergence lets them be."""

from __future__ import annotations

from typing import Any

from studio_core.methods import rollouts
from studio_core.methods.base import Chart, Method
from studio_core.methods.common import DEMO_SIZE
from studio_core.methods.roles import Role
from studio_core.methods.rollouts import JUDGE, REWARD_MODEL, RolloutOptions
from studio_core.options import option
from studio_core.tunings.base import Tuning


class TRPOOptions(RolloutOptions):
    # Schulman et al. 2015 (arXiv:1502.05477) take 0.01 throughout; here it is a mean over tokens.
    kl_limit: float = option(0.01, at_least=1e-6, at_most=1.0, unit="nats", advanced=False)
    # Of answers of a language model most directions change nothing: without it the step would go far along these.
    damping: float = option(0.1, at_least=0.0, at_most=10.0)
    cg_iterations: int = option(5, at_least=1, at_most=100, unit="iterations")
    # The curvature may be coarser than the gradient: it only shapes the step, whose KL is measured on all answers.
    fisher_answers: int = option(8, at_least=1, at_most=1024, unit="answers")
    # 0.8 ^ 8 is a sixth of the step: what is no better even then was noise.
    backtracks: int = option(8, at_least=0, at_most=50)

    def rows_at_work(self, batch_size: int) -> int:
        """A product with the Fisher matrix keeps the graph of a gradient beside that of the pass: each counts twice."""
        return max(batch_size, 2 * min(self.fisher_answers, batch_size))


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """The limit takes the place of the learning rate, so what goes for one size goes for all."""
    values = rollouts.presets(preset, tuning, parameters)
    if parameters < DEMO_SIZE:
        values["epochs"] = {"quick": 0.25, "balanced": 0.25, "thorough": 0.5}[preset]
    return values


TRPO = Method(
    name="trpo",
    shapes=rollouts.SHAPES,
    Options=TRPOOptions,
    presets=presets,
    charts=(
        Chart("reward", ("reward", "eval_reward")),
        Chart("reward_parts", tuple(rollouts.PARTS), rollouts.PARTS),
        Chart("groups", ("groups/all_best", "groups/all_worst", "groups/alike")),
        Chart("trust_region", ("kl",)),
        Chart("backtracks", ("backtracks",)),
        Chart("step_length", ("learning_rate",), {"learning_rate": "step_length"}),
        Chart("written", ("completions/mean_length",), {"completions/mean_length": "written_tokens"}),
        Chart("cut", ("completions/clipped_ratio",), {"completions/clipped_ratio": "cut_share"}),
        Chart("entropy", ("entropy",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
    ),
    headline=("reward", "completions/mean_length", "kl", "tokens_per_second"),
    # Passes without gradient: the writing of answers, how likely they were, and two tries of a step on the average.
    # The fast kernels of attention have no second derivative.
    roles=(Role("policy", learns=True, passes=4, eager=True), REWARD_MODEL, JUDGE),
    rewards=True,
    several_gpus=False,
    moved_by_optimizer=False,
)
