"""Models and datasets that a method takes by role, beside what learns and what is learnt from, as fields of a form.

They stand among the options, since a method brings them as it brings those; their names say which they are
(``models.teacher``, ``data.held_out``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.parts import reward_fields
from studio_core.methods.base import Method
from studio_core.options import OptionField
from studio_core.options.declaration import ChoicesOf
from studio_core.runs.spec import TrainSpec

_KINDS = ("models", "data")


def models_of(method: Method) -> list[OptionField]:
    """A field for each role whose model a person can name; what a run can do without is folded away."""
    return [
        _field(
            f"models.{role.name}",
            "reward_models" if role.output == "score" else "models",
            advanced=role.optional,
        )
        for role in method.named_roles.values()
    ]


def data_of(method: Method) -> list[OptionField]:
    """A field for each role of a further dataset."""
    return [_field(f"data.{role}", "datasets", advanced=True) for role in method.data]


def rewards_of(method: Method) -> list[OptionField]:
    """The fields of the rewards of a method that learns from them."""
    return reward_fields.fields() if method.rewards else []


def _field(name: str, choices_of: ChoicesOf, advanced: bool) -> OptionField:
    return OptionField(
        name=name,
        kind="text",
        unit="",
        minimum=None,
        maximum=None,
        default="",
        choices=(),
        advanced=advanced,
        title_key=f"train.role.{name}",
        choices_of=choices_of,
    )


def values_of(spec: TrainSpec) -> dict[str, Any]:
    """What a training names by role, by the names of the fields."""
    return {
        **{f"models.{role}": name for role, name in spec.models.items()},
        **{f"data.{role}": name for role, name in spec.data.items()},
        **reward_fields.values_of(spec.rewards),
    }


def parted(changes: Mapping[str, Any]) -> dict[str, Any]:
    """``models``, ``data``, ``rewards`` and ``options`` of a training, of what was changed in the form."""
    parts: dict[str, Any] = {
        "models": {},
        "data": {},
        "options": {},
        "rewards": reward_fields.chosen(changes),
    }
    for name, value in changes.items():
        kind, _, role = name.partition(".")
        if kind in _KINDS and role:
            parts[kind][role] = str(value)
        elif kind != "rewards":
            parts["options"][name] = value
    return parts
