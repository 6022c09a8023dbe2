"""Options of operations that have reward models score answers: one of them, or several read together."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from studio_core.base.errors import BadInput

StepAggregation = Literal["whole", "min", "product", "mean", "last"]
"""``whole``: the answer has one score. Else its lines have one each, and this is what becomes of them."""


def _as_list(value: Any) -> Any:
    """Specs of former versions name one model, and so may a person."""
    return ([value] if value else []) if isinstance(value, str) else value


RewardModels = Annotated[list[str], BeforeValidator(_as_list)]
"""Names of reward models; of several the mean counts."""


def check_reward_models(names: list[str], penalty: float) -> None:
    """Raises ``BadInput`` where none is named, one twice, or a penalty on what one alone cannot have."""
    if not names:
        raise BadInput("generation.no_reward_model")
    for name in names:
        if names.count(name) > 1:
            raise BadInput("generation.reward_model_twice", model=name)
    if penalty and len(names) < 2:
        raise BadInput("generation.one_cannot_disagree", penalty=penalty, model=names[0])
