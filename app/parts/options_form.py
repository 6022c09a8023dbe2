"""Gradio's components for options, drawn from their description: nothing here knows any option by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from app.i18n import combined, t
from studio_core import texts
from studio_core.options import OptionField, parsed, written

MAX_WRITTEN = 5_000_000
"""Characters of an option that is written down."""


def element_id(prefix: str, field: OptionField) -> str:
    """The id of an option's component; one of a part that is chosen is called by both names."""
    return f"{prefix}-{field.name.replace('.', '-')}"


def expanded(fields: Sequence[OptionField]) -> list[OptionField]:
    """The options that a form draws: in place of those of a part that is chosen, the options of all such parts."""
    return [drawn for field in fields for drawn in (field.of_parts() if field.kind == "options" else [field])]


def gathered(fields: Sequence[OptionField], values: Mapping[str, Any]) -> dict[str, Any]:
    """The options by name, of what the components of ``expanded`` hold: no empty ones, none of other parts."""
    options: dict[str, Any] = {}
    for field in expanded(fields):
        value, (owner, _, name) = values[field.name], field.name.rpartition(".")
        if value in (None, "") or (field.owners and values[field.part] not in field.owners):
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
    limits = bounds(field)
    if not limits:
        return t(field.help_key)
    if not field.unit:
        return combined(f"{{}} [{limits}]", field.help_key)
    return combined(f"{{}} [{limits} {{}}]", field.help_key, f"options.unit.{field.unit}")


def bounds(field: OptionField) -> str:
    """The range of an option as people read it; empty if it has none."""
    if field.minimum is None or field.maximum is None or field.maximum >= NO_LIMIT:
        return ""
    return f"{_short(field.minimum)} – {_short(field.maximum)}"


NO_LIMIT = 100_000_000
"""A largest value that no person meets is not worth reading."""


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def plain(field: OptionField, value: Any) -> Any:
    """What a component gave, as the option takes it."""
    if field.kind in ("numbers", "json"):
        return parsed(field, str(value)[:MAX_WRITTEN])
    return int(value) if field.kind == "int" and float(value).is_integer() else value
