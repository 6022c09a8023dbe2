"""The form of a method's options, drawn from their description: nothing here knows any option by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from app.i18n import combined, t
from studio_core import texts
from studio_core.methods.base import Method, OptionField, fields, parsed, written

MAX_WRITTEN = 5_000_000
"""Characters of an option that is written down."""


@dataclass(frozen=True)
class OptionsForm:
    """The options of one method on a page."""

    method: Method
    group: gr.Group
    fields: list[OptionField]
    components: list[Component]
    """One for each field, in the same order."""

    def values(self, given: Sequence[Any]) -> dict[str, Any]:
        """What the components hold, by option; a field that was left empty is absent."""
        pairs = zip(self.fields, given, strict=True)
        return {field.name: plain(field, value) for field, value in pairs if value not in (None, "")}

    def shown(self, values: dict[str, Any], tuning: str) -> list[Any]:
        """Updates that fill the components in and hide what has no effect under the tuning."""
        updates: list[Any] = []
        for field in self.fields:
            visible = not field.tunings or tuning in field.tunings
            updates.append(gr.update(value=values.get(field.name, field.default), visible=visible))
        return updates


def options_form(method: Method, visible: bool, prefix: str) -> OptionsForm:
    """Draw the form; everyday options first, the others folded away. Ids are ``<prefix>-<option>``."""
    known = fields(method)
    by_name: dict[str, Component] = {}
    # Methods share option names; ids stay unique, since an invisible form is not in the document.
    with gr.Group(visible=visible, elem_classes="ts-options") as group:
        with gr.Row(elem_classes="ts-option-row"):
            for field in known:
                if not field.advanced:
                    by_name[field.name] = component_of(field, f"{prefix}-{field.name}")
        with gr.Accordion(t("train.advanced"), open=False, elem_id=f"{prefix}s-advanced"):
            with gr.Row(elem_classes="ts-option-row"):
                for field in known:
                    if field.advanced:
                        by_name[field.name] = component_of(field, f"{prefix}-{field.name}")
    return OptionsForm(method, group, known, [by_name[field.name] for field in known])


def component_of(field: OptionField, elem_id: str) -> Component:
    """The component of one option, of the kind that fits it."""
    shared: dict[str, Any] = {
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
    return combined(f"{{}} [{bounds} {{}}]", field.help_key, f"methods.unit.{field.unit}")


NO_LIMIT = 100_000_000
"""A largest value that no person meets is not worth reading."""


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def plain(field: OptionField, value: Any) -> Any:
    """What a component gave, as the option takes it."""
    if field.kind in ("numbers", "json"):
        return parsed(field, str(value)[:MAX_WRITTEN])
    return int(value) if field.kind == "int" and float(value).is_integer() else value
