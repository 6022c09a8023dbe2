"""Improve: operations that make a new version of what is open. The form of each is drawn from its description."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from app.i18n import t
from app.parts.choices import filled
from app.parts.dataset import opened
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import safely
from app.parts.options_form import component_of, plain
from studio_core.curation import OPERATIONS
from studio_core.curation.base import Operation, fields
from studio_core.data import making
from studio_core.data.shapes import Shape
from studio_core.engine_process import ensure_engine
from studio_core.methods.base import OptionField
from studio_core.spec import DataSpec
from studio_core.studio import Studio

NAME = "improve"

_GO = "(address) => { if (address && address.startsWith('/runs?run=')) window.location.assign(address); }"


@dataclass(frozen=True)
class Form:
    operation: Operation
    group: gr.Group
    fields: list[OptionField]
    components: list[Component]
    result: gr.Textbox
    start: gr.Button


def build(studio: Studio, tab: gr.Tab) -> None:
    choice = gr.Dropdown(
        [(t(operation.title_key), name) for name, operation in OPERATIONS.items()],
        label=t("curation.title"),
        elem_id="improve-operation",
    )
    forms = [_form(operation) for operation in OPERATIONS.values()]
    key, address = gr.State(""), gr.Textbox(visible=False)

    def open_section(request: gr.Request) -> list[Any]:
        dataset = opened(studio, request)
        shape = Shape(dataset.shape)
        fitting = [(t(o.title_key), name) for name, o in OPERATIONS.items() if shape in o.shapes]
        first = fitting[0][1] if fitting else None
        offered = [update for form in forms for update in filled(studio, dataset, form.fields)]
        return [gr.Dropdown(choices=fitting, value=first), *shown(first), secrets.token_hex(8), *offered]

    def shown(name: str | None) -> list[Any]:
        return [gr.Group(visible=form.operation.name == name) for form in forms]

    on_open(
        open_section,
        [choice, *(form.group for form in forms), key, *(c for form in forms for c in form.components)],
    )
    choice.input(safely(shown), [choice], [form.group for form in forms], **LIGHT)
    for form in forms:
        form.start.click(
            safely(_starter(studio, form)),
            [key, form.result, *form.components],
            [address],
            trigger_mode="once",
            **ASKED,
        ).then(None, js=_GO, inputs=[address])


def _form(operation: Operation) -> Form:
    described = fields(operation)
    prefix = f"improve-{operation.name}"
    with gr.Group(visible=False, elem_classes="ts-options", elem_id=prefix) as group:
        gr.Markdown(t(operation.help_key))
        with gr.Row(elem_classes="ts-option-row"):
            components = [component_of(field, f"{prefix}-{field.name}") for field in described]
        result = gr.Textbox(
            label=t("curation.result"),
            info=t("curation.result.help"),
            max_lines=1,
            elem_id=f"{prefix}-result",
        )
        start = gr.Button(t("curation.start"), variant="primary", elem_id=f"{prefix}-start")
    return Form(operation, group, described, components, result, start)


def _starter(studio: Studio, form: Form) -> Any:
    def start(request: gr.Request, key: str, result: str, *given: Any) -> str:
        dataset = opened(studio, request)
        pairs = zip(form.fields, given, strict=True)
        options = {field.name: plain(field, value) for field, value in pairs if value not in (None, "")}
        spec = DataSpec(
            operation=form.operation.name,
            datasets=[f"{dataset.name}@{dataset.version}"],
            options=options,
            result=str(result or ""),
        )
        job = making.submit(studio, spec, key=f"{key}-{hashlib.sha256(str(spec).encode()).hexdigest()[:16]}")
        ensure_engine(studio)
        return f"/runs?run={job.id}"

    return start
