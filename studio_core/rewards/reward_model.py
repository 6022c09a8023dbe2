"""The score of a reward model. Trainings only: they name the model by its role, and their worker asks it."""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.rewards.base import Reward, RewardOptions, Score


def reward_model(options: RewardOptions) -> Score:
    """Raises ``BadInput``: the model is asked by a worker (``jobs/training/answer_rewards.py``)."""
    raise BadInput("rewards.training_only", name="reward_model")


REWARD_MODEL = Reward("reward_model", reward_model, lowest=float("-inf"), highest=float("inf"), role="reward")
