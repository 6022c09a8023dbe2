"""Several answers to each prompt, scored; the best is kept, or the best and the worst as a pair."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from studio_core import rewards
from studio_core.base.errors import BadInput
from studio_core.curation.asking import PROMPTED, DrawingOptions, one_of
from studio_core.curation.base import Operation
from studio_core.options import option


class BestOfOptions(DrawingOptions):
    k: int = option(4, at_least=1, at_most=64, unit="answers", advanced=False)
    result: Literal["best", "pairs"] = option("best", advanced=False)
    scored_by: Literal["reward", "reward_model", "judge"] = option("reward", advanced=False)
    reward: Literal[
        "equality",
        "boxed",
        "shorter",
        "longer",
        "near_length",
        "contains",
        "lacks",
        "matches",
        "valid_json",
        "language",
    ] = option("equality", advanced=False)
    reward_setting: str = option("", advanced=False)
    reward_model: str = option("", choices_of="reward_models", advanced=False)
    judge_model: str = option("", choices_of="models")
    judge_service: str = option("", choices_of="services")
    rubric: str = option("", kind="prompt")
    min_score: float | None = option(None, at_least=-1_000_000.0, at_most=1_000_000.0)
    margin: float = option(0.0, at_least=0.0, at_most=1_000_000.0)
    keep_system: bool = option(False)
    drop_truncated: bool = option(True)

    @model_validator(mode="after")
    def _can_be_scored(self) -> BestOfOptions:
        if self.k > 1 and self.temperature == 0:
            raise BadInput("generation.all_the_same", k=self.k)
        if self.result == "pairs" and self.k < 2:
            raise BadInput("generation.one_is_no_pair")
        if self.scored_by == "reward":
            rewards.made(self.reward, self.reward_setting)
        elif self.scored_by == "judge":
            one_of(self, "judge_model", "judge_service")
        elif not self.reward_model:
            raise BadInput("generation.no_reward_model")
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
