"""Where the answers of a new project come from: the kinds that the form offers, and what each asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.parts.labeling import who
from app.parts.options_form import gathered
from studio_core.base.errors import BadInput
from studio_core.curation.best_of import BEST_OF
from studio_core.generation.answer_jobs import AnswerSource
from studio_core.labeling import making

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """Its name is ``labeling.making_kind_<name>``."""

    name: str
    fields: tuple[str, ...]
    """The fields of ``FIELDS`` that it shows."""
    sources: Callable[[Values], list[AnswerSource]]
    mode: str = "pairs"
    correct: bool = False


REWARD = next(field for field in BEST_OF.fields if field.name == "reward_options")
"""The options of the reward that is chosen, as the same work on a dataset has them."""
REWARD_FIELDS = REWARD.of_parts()
_OF_REWARDS = tuple(field.name for field in REWARD_FIELDS)
FIELDS = (
    "model",
    "other_model",
    "models",
    "temperature",
    "other_temperature",
    "system",
    "other_system",
    "best_of",
    "reward",
    *_OF_REWARDS,
    "scale",
)


def _source(values: Values, model: str = "model", **more: Any) -> AnswerSource:
    named = str(values[model] or "")
    if not named:
        raise BadInput("labeling.making_who")
    return making.checked_source(
        **who.named(named), temperature=values["temperature"], max_tokens=values["max_tokens"], **more
    )


def _two_temperatures(values: Values) -> list[AnswerSource]:
    hotter = {**values, "temperature": values["other_temperature"]}
    return [_source(values), _source(hotter)]


def _two_systems(values: Values) -> list[AnswerSource]:
    return [_source(values, system=str(values[name] or "")) for name in ("system", "other_system")]


def _best_and_worst(values: Values) -> list[AnswerSource]:
    reward = str(values["reward"] or "")
    held = {field.name: values[field.name] for field in REWARD_FIELDS}
    options = gathered([REWARD], {"reward": reward, **held}).get(REWARD.name, {})
    return [_source(values, best_of=values["best_of"], reward=reward, reward_options=options)]


def _alone(values: Values) -> list[AnswerSource]:
    return [_source(values, system=str(values["system"] or ""))]


def _several(values: Values) -> list[AnswerSource]:
    """Those that were chosen; if they are fewer than three, they take turns until they are three."""
    chosen = [str(name) for name in values["models"] or []][:8]
    if not chosen:
        raise BadInput("labeling.making_who")
    names = chosen if len(chosen) > 2 else (chosen * 3)[: 4 if len(chosen) == 2 else 3]
    return [_source({**values, "model": name}) for name in names]


KINDS = {
    kind.name: kind
    for kind in (
        Kind("temperatures", ("model", "temperature", "other_temperature"), _two_temperatures),
        Kind(
            "models",
            ("model", "other_model", "temperature"),
            lambda given: [_source(given), _source(given, "other_model")],
        ),
        Kind("systems", ("model", "temperature", "system", "other_system"), _two_systems),
        Kind("best_worst", ("model", "temperature", "best_of", "reward", *_OF_REWARDS), _best_and_worst),
        Kind("correct", ("model", "temperature", "system"), _alone, "rate", correct=True),
        Kind("rate", ("model", "temperature", "system", "scale"), _alone, "rate"),
        Kind("rank", ("models", "temperature"), _several, "rank"),
    )
}
