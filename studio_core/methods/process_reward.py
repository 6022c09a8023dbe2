"""A process reward model: it learns for each step of a solution whether it is right."""

from __future__ import annotations

from studio_core.data.shapes import Shape
from studio_core.methods.base import Chart, Method
from studio_core.methods.reward import ScorerOptions, presets
from studio_core.methods.roles import Role

PROCESS_REWARD = Method(
    name="process-reward",
    shapes=(Shape.STEPWISE,),
    Options=ScorerOptions,
    presets=presets,
    charts=(
        Chart("loss", ("loss", "eval_loss")),
        # Beside the share that is reached by always saying what is most frequent: without that it tells nothing.
        Chart("step_accuracy", ("accuracy", "eval_accuracy", "most_frequent", "eval_most_frequent")),
        Chart("learning_rate", ("learning_rate",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
    ),
    headline=("loss", "accuracy", "most_frequent", "tokens_per_second"),
    roles=(Role("reward", learns=True, output="score"),),
)
