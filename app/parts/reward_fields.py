"""The rewards of a training as fields of the form: one to tick for each reward, its weight and its own options.

Fields are called ``rewards.<reward>`` (is it ticked), ``rewards.<reward>.weight`` and ``rewards.<reward>.<option>``;
what is written as text, one reward a line, is ``rewards``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from markupsafe import Markup

from app.i18n import say
from app.parts.html import html, join
from studio_core.base.settings import switched_on
from studio_core.options import OptionField
from studio_core.rewards import OF_TRAININGS, choices
from studio_core.rewards.base import Reward
from studio_core.rewards.own_code import OWN_CODE
from studio_core.runs.spec import RewardChoice

PREFIX = "rewards."
_WEIGHT = "weight"


def offered() -> dict[str, Reward]:
    """All but own code where the server's owner does not allow it; what has it all the same shows it as text."""
    return {
        name: each
        for name, each in OF_TRAININGS.items()
        if each is not OWN_CODE or switched_on("own_rewards")
    }


def fields() -> list[OptionField]:
    """All of them, in the order of the list of rewards."""
    made: list[OptionField] = []
    for name, reward in offered().items():
        tick = _field(PREFIX + name, "bool", False, reward.title_key)
        weight = _field(f"{PREFIX}{name}.{_WEIGHT}", "float", 1.0, "rewards.weight")
        own = [replace(each, name=f"{PREFIX}{name}.{each.name}", advanced=False) for each in reward.fields]
        made += [tick, weight, *own]
    # The same reward twice, with other options, has no second tick.
    return [*made, _field("rewards", "prompt", "", "train.role.rewards")]


def _field(name: str, kind: Any, default: Any, title_key: str) -> OptionField:
    return OptionField(
        name=name,
        kind=kind,
        unit="",
        minimum=None,
        maximum=None,
        default=default,
        choices=(),
        advanced=False,
        title_key=title_key,
    )


def begin() -> dict[str, Any]:
    """What the fields hold where nothing is chosen."""
    return {field.name: field.default for field in fields()}


def values_of(rewards: Sequence[RewardChoice]) -> dict[str, Any]:
    """What the fields hold for these: of one name the first is ticked, the others are lines of text."""
    values: dict[str, Any] = {}
    lines: list[RewardChoice] = []
    seen: Counter[str] = Counter()
    for choice in rewards:
        seen[choice.name] += 1
        if choice.name not in offered() or seen[choice.name] > 1:
            lines.append(choice)
            continue
        name = PREFIX + choice.name
        values |= {name: True, f"{name}.{_WEIGHT}": choice.weight}
        values |= {f"{name}.{option}": value for option, value in choice.options.items()}
    return {**values, **({"rewards": choices.text(lines)} if lines else {})}


def chosen(changes: Mapping[str, Any]) -> list[RewardChoice]:
    """The rewards that are ticked, and those of the text. What a field should not hold is left to the plan."""
    made = []
    for name, reward in OF_TRAININGS.items():
        if changes.get(PREFIX + name) is not True:
            continue
        own = {field.name: f"{PREFIX}{name}.{field.name}" for field in reward.fields}
        options = {option: changes[field] for option, field in own.items() if field in changes}
        weight = changes.get(f"{PREFIX}{name}.{_WEIGHT}", 1.0)
        made.append(
            RewardChoice(name=name, weight=weight, options=options)
            if isinstance(weight, int | float)
            else RewardChoice(name=f"{name}:{weight}"[:80])
        )
    return made + choices.lines(str(changes.get("rewards", "")))


def drawn(inputs: Mapping[str, Markup], names: Sequence[str], language: str) -> Markup:
    """A group for each reward of the inputs of ``names``, by field; weight and options show once it is ticked."""
    groups = groupby(
        (name for name in names if name.startswith(PREFIX)),
        lambda name: name.removeprefix(PREFIX).partition(".")[0],
    )
    parts = []
    for reward, fields_ in groups:
        tick, *rest = (inputs[name] for name in fields_)
        parts.append(
            html(
                '<div class="ts-reward" data-reward="{}">{}<div class="ts-inputs ts-reward-options">{}</div></div>',
                reward,
                tick,
                join(rest),
            )
        )
    folded = html(
        '<details class="ts-fold ts-reward-more"><summary>{}</summary><div class="ts-inputs">{}</div></details>',
        say("train.rewards_as_text", language),
        inputs["rewards"],
    )
    return html(
        '<fieldset class="ts-rewards" id="train-rewards"><legend>{}</legend><p class="ts-muted">{}</p>'
        '<div class="ts-rewards-list">{}</div>{}</fieldset>',
        say("train.rewards", language),
        say("train.rewards.help", language),
        join(parts),
        folded,
    )
