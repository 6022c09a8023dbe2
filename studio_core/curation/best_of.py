"""Several answers to each prompt, scored; the best is kept, or the best and the worst as a pair."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from studio_core import rewards
from studio_core.base.errors import BadInput
from studio_core.curation.asking import PROMPTED, DrawingOptions, one_of
from studio_core.curation.base import Operation
from studio_core.curation.scoring import RewardModels, StepAggregation, check_reward_models
from studio_core.options import option


class BestOfOptions(DrawingOptions):
    k: int = option(4, at_least=1, at_most=64, unit="answers", advanced=False)
    result: Literal["best", "pairs"] = option("best", advanced=False)
    scored_by: Literal["reward", "reward_model", "judge"] = option("reward", advanced=False)
    reward: str = option(rewards.DEFAULT, parts=rewards.REWARDS, advanced=False)
    reward_options: dict[str, Any] = option({}, parts=rewards.REWARDS, part="reward", advanced=False)
    reward_model: RewardModels = option([], choices_of="reward_models", advanced=False)
    step_aggregation: StepAggregation = option("whole")
    # Coste et al. (2023) found 0.5 to 1 useful; 10 leaves nothing but the disagreement.
    disagreement_penalty: float = option(0.0, at_least=0.0, at_most=10.0)
    judge_model: str = option("", choices_of="models")
    judge_service: str = option("", choices_of="services")
    rubric: str = option("", kind="prompt")
    min_score: float | None = option(None, at_least=-1_000_000.0, at_most=1_000_000.0)
    margin: float = option(0.0, at_least=0.0, at_most=1_000_000.0)
    keep_system: bool = option(False)
    drop_truncated: bool = option(True)

    @model_validator(mode="before")
    @classmethod
    def _setting_of_former_versions(cls, values: dict[str, Any]) -> dict[str, Any]:
        if "reward_setting" not in values:
            return values
        setting = str(values["reward_setting"])
        options = rewards.options_of_setting(values.get("reward", rewards.DEFAULT), setting)
        others = {name: value for name, value in values.items() if name != "reward_setting"}
        return {**others, "reward_options": {**options, **values.get("reward_options", {})}}

    @model_validator(mode="after")
    def _can_be_scored(self) -> BestOfOptions:
        if self.k > 1 and self.temperature == 0:
            raise BadInput("generation.all_the_same", k=self.k)
        if self.result == "pairs" and self.k < 2:
            raise BadInput("generation.one_is_no_pair")
        rewards.named(self.reward)
        if self.scored_by == "reward":
            rewards.score(self.reward, self.reward_options)
        elif self.scored_by == "judge":
            one_of(self, "judge_model", "judge_service")
        else:
            check_reward_models(self.reward_model, self.disagreement_penalty)
        return self

    @property
    def loads(self) -> bool:
        """Whether a model is loaded here."""
        judged_here = self.scored_by == "judge" and bool(self.judge_model)
        return bool(self.model) or self.scored_by == "reward_model" or judged_here


BEST_OF = Operation(
    name="best_of",
    Options=BestOfOptions,
    shapes=PROMPTED,
    needs_model=lambda options: options.loads,
    models=("model", "reward_model", "judge_model"),
    services=("service", "judge_service"),
    area="generation",
)
