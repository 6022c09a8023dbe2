"""Group relative policy optimisation: a model learns from its own answers, each against the others to its prompt."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from studio_core.base.errors import BadInput
from studio_core.methods import rollouts
from studio_core.methods.base import Chart, Method
from studio_core.methods.rollouts import EnvironmentOptions
from studio_core.options import option

Loss = Literal["dapo", "grpo", "dr_grpo", "bnpo", "cispo", "sapo", "luspo", "vespo"]


class GRPOOptions(EnvironmentOptions):
    loss: Loss = option("dapo", advanced=False)
    # 0 as in TRL: no reference in memory. Published GRPO had 0.04.
    beta: float = option(0.0, at_least=0.0, at_most=1.0, advanced=False)
    scale_rewards: Literal["group", "batch", "none"] = option("group")
    importance: Literal["token", "sequence"] = option("token")
    num_iterations: int = option(1, at_least=1, at_most=16, unit="updates")
    epsilon: float = option(0.2, at_least=0.0, at_most=1.0)
    # Clip-higher (DAPO, arXiv:2503.14476): rare tokens may become likelier faster than they may fade. 0: as epsilon.
    epsilon_high: float = option(0.28, at_least=0.0, at_most=10.0)
    mask_truncated: bool = option(False)
    entropy_coef: float = option(0.0, at_least=0.0, at_most=1.0)
    top_entropy: float = option(1.0, at_least=0.05, at_most=1.0)

    @model_validator(mode="after")
    def _losses_with_what_they_take(self) -> GRPOOptions:
        if self.importance == "sequence" and self.loss in ("dapo", "dr_grpo", "bnpo", "cispo", "vespo"):
            raise BadInput("methods.grpo.sequence_with", loss=self.loss)
        return self

    def steps_of_epoch(self, rows: int, gpus: int = 1) -> int:
        """Each batch of answers is learnt from ``num_iterations`` times."""
        return super().steps_of_epoch(rows, gpus) * self.num_iterations


GRPO = Method(
    name="grpo",
    shapes=rollouts.SHAPES,
    Options=GRPOOptions,
    presets=rollouts.presets,
    charts=(*rollouts.CHARTS, rollouts.TOOL_CHART, Chart("clipped", ("clip_ratio/region_mean",))),
    headline=rollouts.HEADLINE,
    roles=rollouts.ROLES,
    rewards=True,
    several_gpus=False,
)
