"""Online DPO: preference pairs out of the model's own answers, as the rewards rank them."""

from __future__ import annotations

from typing import Any, Literal

from studio_core.methods import rollouts
from studio_core.methods.base import Chart, Method
from studio_core.methods.common import DEMO_SIZE
from studio_core.methods.roles import Role
from studio_core.methods.rollouts import JUDGE, REWARD_MODEL, RolloutOptions
from studio_core.options import option
from studio_core.tunings.base import Tuning


class OnlineDPOOptions(RolloutOptions):
    # As in the paper and in TRL: two answers are the pair. Of more the best and the worst are.
    num_generations: int = option(2, at_least=2, at_most=64, unit="answers", advanced=False)
    beta: float = option(0.1, at_least=0.001, at_most=10.0, advanced=False)
    loss: Literal["sigmoid", "ipo"] = option("sigmoid", advanced=False)


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    # The rate with an adapter is GRPO's, and not measured here yet.
    values = rollouts.presets(preset, tuning, parameters)
    if parameters < DEMO_SIZE:
        # A step takes four times the prompts that one of GRPO's takes, with a fourth of the answers to each.
        values["epochs"] = {"quick": 0.75, "balanced": 1.5, "thorough": 3.0}[preset]
    return values


ONLINE_DPO = Method(
    name="online-dpo",
    shapes=rollouts.SHAPES,
    Options=OnlineDPOOptions,
    presets=presets,
    charts=(
        Chart("loss", ("loss",)),
        Chart("reward", ("reward", "eval_reward")),
        Chart("reward_parts", tuple(rollouts.PARTS), rollouts.PARTS),
        Chart("ties", ("ties",)),
        Chart("margins", ("rewards/margins", "rewards/chosen", "rewards/rejected")),
        Chart("written", ("completions/mean_length",), {"completions/mean_length": "written_tokens"}),
        Chart("cut", ("completions/clipped_ratio",), {"completions/clipped_ratio": "cut_share"}),
        Chart("drift", ("kl",)),
        Chart("entropy", ("entropy",)),
        Chart("learning_rate", ("learning_rate",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
    ),
    headline=("reward", "ties", "completions/mean_length", "tokens_per_second"),
    roles=(
        # The pass without gradient is the writing of answers.
        Role("policy", learns=True, passes=1),
        Role("reference", passes=1, begins_as="policy"),
        REWARD_MODEL,
        JUDGE,
    ),
    rewards=True,
    several_gpus=False,
)
