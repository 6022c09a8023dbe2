"""A reward model that learns from scores: each answer has one, from 1 to 10, and it learns to give the same."""

from __future__ import annotations

from studio_core.data.shapes import HIGHEST_SCORE, LOWEST_SCORE, Shape
from studio_core.methods.base import Chart, Method
from studio_core.methods.reward import ScorerOptions, presets
from studio_core.methods.roles import Role

MIDDLE = (LOWEST_SCORE + HIGHEST_SCORE) / 2
"""The score that the model's 0 means, with which it begins."""
UNIT = 3.0
"""Scores that the model's 1 means. Even grades from 1 to 10 have a standard deviation of 2.9: so what is learnt has
one of about 1, and the rates of the other reward models fit."""

REWARD_REGRESSION = Method(
    name="reward-regression",
    shapes=(Shape.SCORED,),
    Options=ScorerOptions,
    presets=presets,
    charts=(
        Chart("loss", ("loss", "eval_loss")),
        Chart("score_error", ("mae", "eval_mae")),
        Chart("scores_given", ("mean_reward", "min_reward", "max_reward")),
        Chart("learning_rate", ("learning_rate",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
    ),
    # In scores, as people gave them: a loss in units of its own tells nobody anything.
    headline=("mae", "loss", "tokens_per_second"),
    roles=(Role("reward", learns=True, output="score"),),
)
