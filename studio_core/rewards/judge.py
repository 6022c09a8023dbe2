"""What a judge thinks of an answer: a model of the studio by its role, or a service. Trainings only: their worker asks.

Of several criteria each is a question of its own, so that one does not colour the other; the value is the weighted
mean of the scores, 1 to 10 as 0 to 1. ``judge_ranking`` has all answers to one prompt put in an order instead: which
of two is better is said more reliably than how good one is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import field_validator

from studio_core.base.errors import BadInput
from studio_core.options import option
from studio_core.options.criteria import criteria_of
from studio_core.rewards.base import Reward, RewardOptions, Score

Service = Annotated[str, option("", choices_of="services", advanced=False)]
# As the operations on data have it: quick with any service, and below the limits of those that count requests.
Concurrency = Annotated[int, option(8, at_least=1, at_most=256)]
# Some think before they judge.
JudgeTokens = Annotated[int, option(512, at_least=1, at_most=32_768, unit="tokens")]
# More than any run asks; 0: as many as it takes.
MaxCalls = Annotated[int, option(0, at_least=0, at_most=1_000_000)]


class JudgeOptions(RewardOptions):
    criteria: str = option("", kind="prompt", advanced=False)
    service: Service = ""
    concurrency: Concurrency = 8
    judge_tokens: JudgeTokens = 512
    max_calls: MaxCalls = 0

    @field_validator("criteria")
    @classmethod
    def _can_be_read(cls, criteria: str) -> str:
        criteria_of(criteria)
        return criteria


class RankingOptions(RewardOptions):
    rubric: str = option("", kind="prompt", advanced=False)
    both_orders: bool = option(True)
    service: Service = ""
    concurrency: Concurrency = 8
    judge_tokens: JudgeTokens = 512
    max_calls: MaxCalls = 0


def _of_trainings(name: str) -> Callable[[Any], Score]:
    def score(options: RewardOptions) -> Score:
        """Raises ``BadInput``: the judge is asked by a worker (``jobs/training/judges.py``)."""
        raise BadInput("rewards.training_only", name=name)

    return score


JUDGE = Reward(
    "judge", _of_trainings("judge"), JudgeOptions, role="judge", service=lambda options: options.service
)
JUDGE_RANKING = Reward(
    "judge_ranking",
    _of_trainings("judge_ranking"),
    RankingOptions,
    role="judge",
    service=lambda options: options.service,
    compares=True,
)
