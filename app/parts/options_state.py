"""What the Train page remembers of its form of options while other methods and tunings are looked at.

The page keeps it and sends it along with each event: so a server that was started again under an open page knows it,
and nothing typed is lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from app.parts import option_inputs, role_fields
from studio_core import methods, tunings
from studio_core.base.errors import BadInput
from studio_core.methods import METHODS
from studio_core.options import OptionField
from studio_core.tunings import DEFAULT, TUNINGS

Values = dict[str, Any]


def fields_of(method: str, tuning: str) -> list[OptionField]:
    """Models that the method takes by role and its rewards, its options and the tuning's, its further datasets.

    There are none of what is not known.
    """
    if method not in METHODS:
        return []
    method_ = METHODS[method]
    of_tuning = TUNINGS[tuning].fields if tuning in TUNINGS else []
    beside = (*role_fields.models_of(method_), *role_fields.rewards_of(method_))
    return [*beside, *method_.fields, *of_tuning, *role_fields.data_of(method_)]


@dataclass(frozen=True)
class OptionsState:
    """What the form began with that the page shows, and what was changed in all that it has shown."""

    method: str
    tuning: str
    begin: Values
    """What its options are by preset."""
    changed: Mapping[str, Values] = field(default_factory=dict)
    """By method and tuning, so that those that are chosen again have what was put there."""
    datasets: list[str] = field(default_factory=list)
    """That were chosen, newest first."""

    @property
    def changes(self) -> Values:
        """What differs from the preset in the form that is shown."""
        return dict(self.changed.get(_key(self.method, self.tuning), {}))

    def held(self, inputs: Mapping[str, Any]) -> OptionsState:
        """The same once the inputs hold ``inputs``; what is absent there stays as it was."""
        fields = fields_of(self.method, self.tuning)
        before = {name: value for name, value in self.changes.items() if name not in inputs}
        # Of those alone that the form has: a page may send others, and they are nobody's.
        now = option_inputs.values(fields, inputs)
        # What equals the preset is no change: another preset may set it again.
        mine = {name: value for name, value in now.items() if value != self.begin.get(name)}
        return replace(self, changed={**self.changed, _key(self.method, self.tuning): {**before, **mine}})

    def turned(self, method: str, tuning: str, begin: Values) -> OptionsState:
        """What is so once another method, tuning, preset or model is chosen, under which options are ``begin``.

        An option that both forms have alike and both presets set alike has one value: the choice was not about it.
        The others have what was put there when that method with that tuning was on the page.
        """
        # Options of one name may be different things: KTO's beta is not DPO's. What they begin with tells nothing.
        theirs = {option.name: replace(option, default=None) for option in fields_of(method, tuning)}
        shared = {
            option.name
            for option in fields_of(self.method, self.tuning)
            if theirs.get(option.name) == replace(option, default=None)
            and self.begin.get(option.name) == begin.get(option.name)
        }
        same = (method, tuning) == (self.method, self.tuning)
        kept = {} if same else self.changed.get(_key(method, tuning), {})
        changes = {
            **{name: value for name, value in kept.items() if name not in shared and name in theirs},
            **{name: value for name, value in self.changes.items() if name in shared},
        }
        changed = {**self.changed, _key(method, tuning): changes}
        return replace(self, method=method, tuning=tuning, begin=begin, changed=changed)

    def text(self) -> str:
        """As the page keeps it."""
        return json.dumps(
            {"method": self.method, "tuning": self.tuning, "begin": self.begin, "changed": self.changed,
             "datasets": self.datasets}, ensure_ascii=False
        )  # fmt: skip


def _key(method: str, tuning: str) -> str:
    return f"{method} {tuning}"


class _State(BaseModel):
    model_config = ConfigDict(strict=True)

    method: str = ""
    tuning: str = ""
    begin: Values = {}
    changed: dict[str, Values] = {}
    datasets: list[str] = []


class Wish(BaseModel):
    """What ``static/js/train.js`` reads from the page: the choosers, and the form of options with what it holds."""

    model_config = ConfigDict(strict=True)

    method: str = methods.DEFAULT
    tuning: str = DEFAULT
    form: _State = _State()
    inputs: Values = {}

    @property
    def state(self) -> OptionsState:
        """Of the form that was on the page when this was sent, which may be another method's than is chosen."""
        state_ = OptionsState(**self.form.model_dump())
        return state_.held(self.inputs)


def read(text: str) -> Wish:
    """The wish that a page sends; raises ``BadInput`` of what no page of ours sends, or a method that is not there."""
    try:
        wish = Wish.model_validate_json(text or "{}")
    except ValidationError as error:
        raise BadInput("shell.refused_call") from error
    methods.named(wish.method)
    tunings.named(wish.tuning)
    return wish
