"""Keep the answers that reward models score well."""

from __future__ import annotations

from pydantic import model_validator

from studio_core.curation.base import Operation, OperationOptions
from studio_core.curation.scoring import RewardModels, StepAggregation, check_reward_models
from studio_core.data.shapes import Shape
from studio_core.options import option

SCORE = "reward_score"
DISAGREEMENT = "reward_disagreement"
"""The columns that hold an answer's score, and how far several models disagree on it."""


class ScoreOptions(OperationOptions):
    reward_model: RewardModels = option([], choices_of="reward_models", advanced=False)
    min_score: float | None = option(None, at_least=-1_000_000.0, at_most=1_000_000.0, advanced=False)
    keep_top: float = option(1.0, at_least=0.001, at_most=1.0, advanced=False)
    step_aggregation: StepAggregation = option("whole")
    # As in best-of-N.
    disagreement_penalty: float = option(0.0, at_least=0.0, at_most=10.0)
    keep_scores: bool = option(True)

    @model_validator(mode="after")
    def _can_be_scored(self) -> ScoreOptions:
        check_reward_models(self.reward_model, self.disagreement_penalty)
        return self


SCORE_ANSWERS = Operation(
    name="score",
    Options=ScoreOptions,
    # Pairs by their chosen answers: one that reward models think little of teaches little.
    shapes=(Shape.PROMPT_COMPLETION, Shape.CHAT, Shape.PREFERENCE),
    needs_model=lambda options: True,
    models=("reward_model",),
    area="generation",
)
