"""Rewards of a training as people write them: ``NAME[:WEIGHT][:SETTING]``.

``boxed``, ``boxed:0.2``, ``shorter:0.5:100``, ``contains::thanks``. The setting is the value of the reward's first
option; it may hold colons. Several options are JSON: ``number::{"column": "price", "tolerance": 0.1}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from studio_core import rewards
from studio_core.base.errors import BadInput
from studio_core.runs.spec import RewardChoice


def read(text: str) -> RewardChoice:
    """The reward that this asks for; raises ``BadInput`` if there is none of that name or it does not take that."""
    name, _, rest = text.strip().partition(":")
    weight, _, setting = rest.partition(":")
    reward = rewards.named(name.strip())
    try:
        counts = float(weight) if weight.strip() else 1.0
        choice = RewardChoice(name=reward.name, weight=counts)
    except ValueError as error:
        raise BadInput("rewards.bad_weight", weight=weight[:40], reward=reward.name) from error
    if not setting:
        return checked(choice)
    if not reward.fields:
        raise BadInput("rewards.no_setting", name=reward.name, value=setting[:80])
    options = _several(setting, {field.name for field in reward.fields}) or {reward.fields[0].name: setting}
    return checked(choice.model_copy(update={"options": options}))


def _several(setting: str, known: set[str]) -> dict[str, Any] | None:
    """Options by name, if the setting is that. A schema, which is JSON too, has other names."""
    try:
        options = json.loads(setting)
    except (ValueError, RecursionError):
        return None
    return options if isinstance(options, dict) and options and {*options} <= known else None


def checked(choice: RewardChoice) -> RewardChoice:
    """The choice with the values that its options take; raises ``BadInput`` as ``read`` does."""
    options = rewards.named(choice.name).checked(choice.options).model_dump(exclude_unset=True)
    return choice.model_copy(update={"options": options})


def lines(text: str) -> list[RewardChoice]:
    """One reward a line; empty lines count for nothing. What cannot be read is a name, which a plan refuses."""
    return [_read(line.strip()) for line in text.splitlines() if line.strip()]


def _read(line: str) -> RewardChoice:
    try:
        return read(line)
    except BadInput:
        return RewardChoice(name=line[:80])


def line(choice: RewardChoice) -> str:
    """What ``read`` reads as this choice."""
    settings = [_setting(choice)] if choice.options else []
    weight = f"{choice.weight:g}" if choice.weight != 1 else ""
    return ":".join([choice.name, *([weight] if weight or settings else []), *settings])


def _setting(choice: RewardChoice) -> str:
    """The first option as it is, if there is no other, it is one line, and it is read as that."""
    fields = rewards.OF_TRAININGS[choice.name].fields if choice.name in rewards.OF_TRAININGS else []
    value = str(next(iter(choice.options.values())))
    names = {field.name for field in fields}
    alone = len(choice.options) == 1 and fields and fields[0].name in choice.options
    plain = alone and value and value == value.strip() and "\n" not in value and not _several(value, names)
    return value if plain else json.dumps(choice.options, ensure_ascii=False)


def text(choices: Iterable[RewardChoice]) -> str:
    return "\n".join(map(line, choices))
