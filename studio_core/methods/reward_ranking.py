"""A reward model that learns from rankings of several answers to a prompt: all of one ranking are compared at once."""

from __future__ import annotations

from typing import Any

from studio_core.data.shapes import Shape
from studio_core.methods.base import Chart, Method
from studio_core.methods.reward import ScorerOptions, presets
from studio_core.methods.roles import Role
from studio_core.options import option
from studio_core.tunings.base import Tuning

ANSWERS = 4
"""Answers of a ranking, as most have it: what memory is estimated for."""


class RankingOptions(ScorerOptions):
    # All answers of a ranking are in memory at once. The order of some of them follows the same law as that of all
    # (Luce's choice axiom), so that a part of a long ranking teaches the same, only less.
    answers: int = option(ANSWERS, at_least=2, at_most=64, unit="answers")


def ranking_presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Those for pairs, with half as many rows at once, since a ranking has about twice as many answers."""
    given = presets(preset, tuning, parameters)
    return {**given, "batch_size": max(1, given["batch_size"] // 2)}


REWARD_RANKING = Method(
    name="reward-ranking",
    shapes=(Shape.RANKING,),
    Options=RankingOptions,
    presets=ranking_presets,
    charts=(
        Chart("loss", ("loss", "eval_loss")),
        Chart("ranking_accuracy", ("accuracy", "eval_accuracy", "best_first", "eval_best_first")),
        Chart("scores_given", ("mean_reward", "min_reward", "max_reward")),
        Chart("learning_rate", ("learning_rate",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
    ),
    headline=("loss", "accuracy", "best_first", "tokens_per_second"),
    roles=(Role("reward", learns=True, output="score", sequences=ANSWERS),),
)
