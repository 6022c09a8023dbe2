"""The form of the options of methods, drawn from their description: nothing here knows any option by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from gradio.components import Component

from app.i18n import combined, t
from studio_core import texts
from studio_core.methods.base import Method
from studio_core.options import OptionField, parsed, written
from studio_core.tunings.base import Tuning

MAX_WRITTEN = 5_000_000
"""Characters of an option that is written down."""


@dataclass(frozen=True)
class OptionsForm:
    """The options of all methods and tunings. What several have alike is there once: each field costs the page time."""

    components: list[Component]
    fields: dict[str, dict[int, OptionField]]
    """Of each method, and of the tunings with it, by the place of the component that shows it."""
    tunings: Mapping[str, Tuning]

    def values(self, method: str, given: Sequence[Any]) -> dict[str, Any]:
        """What the components hold, by option of the method; a field that was left empty is absent."""
        held = {field: given[place] for place, field in self.fields[method].items()}
        return {field.name: plain(field, value) for field, value in held.items() if value not in (None, "")}

    @property
    def of_tunings(self) -> dict[str, Any]:
        """The options of all tunings with what they begin with."""
        return {field.name: field.default for tuning in self.tunings.values() for field in tuning.fields}

    def has_effect(self, option: str, tuning: str) -> bool:
        """Whether an option is the method's, or the chosen tuning's: not another tuning's."""
        chosen = self.tunings.get(tuning)
        return option not in self.of_tunings or (chosen is not None and option in chosen.Options.model_fields)

    def shown(self, method: str, values: Mapping[str, Any], tuning: str) -> list[Any]:
        """Updates that fill the components of the method in and hide what has no effect under the tuning."""
        known = self.fields[method]
        return [
            gr.update(
                value=values.get(known[place].name, known[place].default),
                visible=self.has_effect(known[place].name, tuning),
            )
            if place in known
            else gr.update(visible=False)
            for place in range(len(self.components))
        ]


def options_form(
    methods: Mapping[str, Method], tunings: Mapping[str, Tuning], shown: str, prefix: str
) -> OptionsForm:
    """Draw the form with the options of the method ``shown``; everyday options first, the others folded away.

    Ids are ``<prefix>-<option>``: of the options of one name that differ, the document has that of the method only.
    """
    kinds: list[OptionField] = []
    places: dict[str, dict[int, OptionField]] = {name: {} for name in methods}
    for name, method in methods.items():
        for field in [*method.fields, *(field for tuning in tunings.values() for field in tuning.fields)]:
            # Methods start from other values; those are filled in.
            kind = replace(field, default=None)
            if kind not in kinds:
                kinds.append(kind)
            places[name][kinds.index(kind)] = field
    order = list(dict.fromkeys(kind.name for kind in kinds))
    first = {
        place: next(known[place] for known in places.values() if place in known)
        for place in sorted(range(len(kinds)), key=lambda place: order.index(kinds[place].name))
    }
    drawn: dict[int, Component] = {}

    def draw(advanced: bool) -> None:
        with gr.Row(elem_classes="ts-option-row"):
            for place, field in first.items():
                if field.advanced is advanced:
                    unseen = place not in places[shown]
                    drawn[place] = component_of(field, f"{prefix}-{field.name}", visible=not unseen)

    with gr.Group(elem_classes="ts-options"):
        draw(advanced=False)
        with gr.Accordion(t("train.advanced"), open=False, elem_id=f"{prefix}s-advanced"):
            draw(advanced=True)
    return OptionsForm([drawn[place] for place in range(len(kinds))], places, tunings)


def element_id(prefix: str, field: OptionField) -> str:
    """The id of an option's component; one of a part that is chosen is called by both names."""
    return f"{prefix}-{field.name.replace('.', '-')}"


def expanded(fields: Sequence[OptionField]) -> list[OptionField]:
    """The options that a form draws: in place of those of a part that is chosen, the options of all such parts."""
    return [drawn for field in fields for drawn in (field.of_parts() if field.kind == "options" else [field])]


def gathered(fields: Sequence[OptionField], held: Mapping[str, Any]) -> dict[str, Any]:
    """The options by name, of what the components of ``expanded`` hold: no empty ones, none of other parts."""
    options: dict[str, Any] = {}
    for field in expanded(fields):
        value, (owner, _, name) = held[field.name], field.name.rpartition(".")
        if value in (None, "") or (field.owners and held[field.part] not in field.owners):
            continue
        (options.setdefault(owner, {}) if owner else options)[name] = plain(field, value)
    return options


def component_of(field: OptionField, elem_id: str, visible: bool = True) -> Component:
    """The component of one option, of the kind that fits it."""
    shared: dict[str, Any] = {
        "visible": visible,
        "label": t(field.title_key),
        "info": _info(field),
        "elem_id": elem_id,
        "min_width": 210,
    }
    if field.kind == "bool":
        return gr.Checkbox(value=field.default, **shared)
    if field.kind in ("choice", "choices") or field.choices_of:
        return gr.Dropdown(
            choices=[(_choice(field, choice), choice) for choice in field.choices],
            value=list(field.default) if field.kind == "choices" else field.default or None,
            multiselect=field.kind == "choices",
            # What is offered may be out of date; the options themselves say what can be.
            allow_custom_value=bool(field.choices_of),
            **shared,
        )
    if field.kind == "text":
        return gr.Textbox(value=field.default, max_lines=1, **shared)
    if field.kind == "prompt":
        return gr.Textbox(value=field.default, lines=4, max_lines=20, **shared)
    if field.kind in ("numbers", "json"):
        lines = 4 if field.kind == "json" else 1
        return gr.Textbox(value=written(field, field.default), lines=lines, max_lines=20, **shared)
    # Limits are checked by the options themselves, whose sentence then stands in the plan.
    whole = field.kind == "int"
    step = 1 if whole else (field.default or 0.1) / 10
    return gr.Number(value=field.default, precision=0 if whole else None, step=step, **shared)


def _choice(field: OptionField, choice: str) -> Any:
    """The name of a choice: its text, if it has one."""
    key = field.choice_key(choice)
    return t(key) if key in texts.catalogue(texts.DEFAULT_LANGUAGE) else choice


def _info(field: OptionField) -> Any:
    """The help, and the range with its unit."""
    if field.minimum is None or field.maximum is None or field.maximum >= NO_LIMIT:
        return t(field.help_key)
    bounds = f"{_short(field.minimum)} – {_short(field.maximum)}"
    if not field.unit:
        return combined(f"{{}} [{bounds}]", field.help_key)
    return combined(f"{{}} [{bounds} {{}}]", field.help_key, f"options.unit.{field.unit}")


NO_LIMIT = 100_000_000
"""A largest value that no person meets is not worth reading."""


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def plain(field: OptionField, value: Any) -> Any:
    """What a component gave, as the option takes it."""
    if field.kind in ("numbers", "json"):
        return parsed(field, str(value)[:MAX_WRITTEN])
    return int(value) if field.kind == "int" and float(value).is_integer() else value
