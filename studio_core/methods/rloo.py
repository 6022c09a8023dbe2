"""REINFORCE leave-one-out: a model learns from its own answers, each against the mean of the others to its prompt."""

from __future__ import annotations

from studio_core.methods import rollouts
from studio_core.methods.base import Chart, Method
from studio_core.methods.rollouts import EnvironmentOptions
from studio_core.options import option


class RLOOOptions(EnvironmentOptions):
    # As in TRL and in the paper's RLHF runs: the KL is part of the reward.
    beta: float = option(0.05, at_least=0.0, at_most=1.0, advanced=False)
    normalize_advantages: bool = option(False)
    reward_clip: float = option(0.0, at_least=0.0, at_most=1e6)
    num_iterations: int = option(1, at_least=1, at_most=16, unit="updates")
    epsilon: float = option(0.2, at_least=0.0, at_most=1.0)
    epsilon_high: float = option(0.0, at_least=0.0, at_most=10.0)
    mask_truncated: bool = option(False)

    def steps_of_epoch(self, rows: int, gpus: int = 1) -> int:
        """Each batch of answers is learnt from ``num_iterations`` times."""
        return super().steps_of_epoch(rows, gpus) * self.num_iterations


RLOO = Method(
    name="rloo",
    shapes=rollouts.SHAPES,
    Options=RLOOOptions,
    presets=rollouts.presets,
    charts=(*rollouts.CHARTS, rollouts.TOOL_CHART, Chart("clipped", ("clip_ratio/region_mean",))),
    headline=rollouts.HEADLINE,
    roles=rollouts.ROLES,
    rewards=True,
    several_gpus=False,
)
