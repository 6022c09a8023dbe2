"""Rewards of a training as people write them: ``NAME[:WEIGHT][:SETTING]``.

``boxed``, ``boxed:0.2``, ``shorter:0.5:100``, ``contains::thanks``. The setting is the value of the reward's option; it
may hold colons.
"""

from __future__ import annotations

from collections.abc import Iterable

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
    return checked(choice.model_copy(update={"options": {reward.fields[0].name: setting}}))


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
    settings = [str(value) for value in choice.options.values()]
    weight = f"{choice.weight:g}" if choice.weight != 1 else ""
    return ":".join([choice.name, *([weight] if weight or settings else []), *settings])


def text(choices: Iterable[RewardChoice]) -> str:
    return "\n".join(map(line, choices))
