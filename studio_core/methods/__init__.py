"""The training methods that the studio offers. This list is the only one that names them."""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.data.shapes import Shape
from studio_core.methods.base import Method
from studio_core.methods.cpo import CPO
from studio_core.methods.distillation import DISTILLATION
from studio_core.methods.dpo import DPO
from studio_core.methods.grpo import GRPO
from studio_core.methods.kto import KTO
from studio_core.methods.online_dpo import ONLINE_DPO
from studio_core.methods.oreo import OREO
from studio_core.methods.orpo import ORPO
from studio_core.methods.ppo import PPO
from studio_core.methods.process_reward import PROCESS_REWARD
from studio_core.methods.reward import REWARD
from studio_core.methods.reward_ranking import REWARD_RANKING
from studio_core.methods.reward_regression import REWARD_REGRESSION
from studio_core.methods.rloo import RLOO
from studio_core.methods.sft import SFT
from studio_core.methods.sft_kl import SFT_KL
from studio_core.methods.simpo import SIMPO
from studio_core.methods.trpo import TRPO

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        SFT,
        SFT_KL,
        DPO,
        SIMPO,
        CPO,
        ORPO,
        KTO,
        REWARD,
        REWARD_RANKING,
        REWARD_REGRESSION,
        PROCESS_REWARD,
        DISTILLATION,
        GRPO,
        RLOO,
        PPO,
        TRPO,
        ONLINE_DPO,
        OREO,
    )
}
DEFAULT = SFT.name
"""What a form begins with: the training that mostly comes first."""


def named(name: str) -> Method:
    """The method of that name; raises ``BadInput`` that lists the known ones."""
    if name not in METHODS:
        raise BadInput("methods.unknown_method", name=name, known=", ".join(METHODS))
    return METHODS[name]


def learning_from(shape: Shape) -> list[Method]:
    """The methods that learn from records of a shape, the usual one first."""
    return [method for method in METHODS.values() if shape in method.shapes]


def writes(name: str | None) -> bool:
    """Whether the model that a training of that method makes writes answers; one of an unknown method does."""
    return name not in METHODS or METHODS[name].writes
