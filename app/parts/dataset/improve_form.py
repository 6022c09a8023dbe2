"""The form of one operation of the Improve section: drawn from its description, filled for a dataset, read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from app.i18n import t
from app.parts.choices import filled
from app.parts.handlers import Updates
from app.parts.html import heading
from app.parts.options_form import component_of, element_id, expanded, gathered
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.curation.base import Operation
from studio_core.data import versions
from studio_core.options import OptionField


@dataclass(frozen=True)
class Form:
    """The form of one operation."""

    operation: Operation
    group: gr.Column
    before: gr.Column
    """A place above the options, for what helps to fill them in."""
    fields: list[OptionField]
    components: list[Component]
    """One for each of ``fields``."""
    others: gr.Dropdown | None
    """Further datasets, if it takes several."""
    result: gr.Textbox
    seed: gr.Number
    start: gr.Button

    @property
    def inputs(self) -> list[Component]:
        """What makes up its options."""
        return [*([self.others] if self.others else []), *self.components]

    def options(self, values: Mapping[Any, Any]) -> tuple[list[str], dict[str, Any]]:
        """Names of further datasets, and the options by name; what is left empty is absent.

        ``values``: what its ``inputs`` hold, by component.
        """
        others = [str(other) for other in (values[self.others] or [])] if self.others else []
        by_name = {
            field.name: values[component]
            for field, component in zip(self.fields, self.components, strict=True)
        }
        return others, gathered(self.operation.fields, by_name)

    def choose(self, studio: Studio, dataset: Dataset, query: Mapping[str, str], language: str) -> Updates:
        """Choices that this dataset offers; ``query``: values from an address that names this operation."""
        updates = dict(zip(self.components, filled(studio, dataset, self.fields, language), strict=True))
        for field, update in zip(self.fields, updates.values(), strict=True):
            if field.name in query:
                update.update(_prefilled(field, str(query[field.name])))
        if query:
            self._show_parts(updates)
        if self.others is not None:
            own = f"{dataset.name}@{dataset.version}"
            names = [f"{other.name}@{other.version}" for other in versions.all_datasets(studio)]
            updates[self.others] = gr.update(choices=[name for name in names if name != own])
        return updates

    def _show_parts(self, updates: Updates) -> None:
        """Show the options of the parts that ``updates`` choose, and hide those of the others."""
        chosen = {
            field.name: updates[component].get("value", field.default)
            for field, component in zip(self.fields, self.components, strict=True)
            if field.parts
        }
        for field, component in zip(self.fields, self.components, strict=True):
            if field.owners:
                updates[component]["visible"] = chosen[field.part] in field.owners

    def part_options(self, name: str) -> dict[Component, OptionField]:
        """The options of the parts among which the field of that name chooses."""
        return {
            component: field
            for field, component in zip(self.fields, self.components, strict=True)
            if field.part == name
        }


def form_of(operation: Operation) -> Form:
    """Draw it, hidden."""
    fields = expanded(operation.fields)
    prefix = f"improve-{operation.name}"
    by_name: dict[str, Component] = {}
    others = None
    with gr.Column(visible=False, elem_classes="ts-improve-form", elem_id=prefix) as group:
        heading(operation.title_key, operation.help_key)
        if operation.several:
            others = gr.Dropdown(
                [],
                label=t("curation.others"),
                info=t("curation.others.help"),
                multiselect=True,
                elem_id=f"{prefix}-others",
            )
        before = gr.Column(elem_classes="ts-improve-form")
        with gr.Group(elem_classes="ts-options"), gr.Row(elem_classes="ts-option-row"):
            for field in fields:
                if not field.advanced:
                    by_name[field.name] = _component(field, prefix, fields)
        with gr.Accordion(t("curation.more"), open=False, elem_id=f"{prefix}-more"):
            with gr.Row(elem_classes="ts-option-row"):
                for field in fields:
                    if field.advanced:
                        by_name[field.name] = _component(field, prefix, fields)
                seed = gr.Number(
                    0, label=t("curation.seed"), info=t("curation.seed.help"), precision=0, min_width=210
                )
        result = gr.Textbox(
            label=t("curation.result"),
            info=t("curation.result.help"),
            max_lines=1,
            elem_id=f"{prefix}-result",
        )
        start = gr.Button(t("curation.start"), variant="primary", elem_id=f"{prefix}-start")
    components = [by_name[field.name] for field in fields]
    return Form(operation, group, before, fields, components, others, result, seed, start)


def _component(field: OptionField, prefix: str, fields: Sequence[OptionField]) -> Component:
    """One option's; that of a part only if the part is what the form begins with."""
    parts = {chooser.name: chooser.default for chooser in fields if chooser.parts}
    shown = not field.owners or parts[field.part] in field.owners
    return component_of(field, element_id(prefix, field), visible=shown)


def _prefilled(field: OptionField, text: str) -> dict[str, Any]:
    """A value from the address, if it is one of the option's kind."""
    if field.kind == "choices":
        return {"value": [part for part in text.split(",") if not field.choices or part in field.choices]}
    if field.kind == "bool":
        return {"value": text == "true"}
    if field.kind in ("int", "float"):
        try:
            return {"value": float(text) if field.kind == "float" else int(text)}
        except ValueError:
            return {}
    return {"value": text[:10_000]} if not field.choices or text in field.choices else {}
