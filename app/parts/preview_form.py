"""Looking at one record as a model sees it: which model, which row, cut at which length."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import say, t
from app.parts import record_view
from app.parts.handlers import sentence_of
from app.parts.html import notice, panel
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.data.learning import Learning
from studio_core.data.shapes import Record, Shape
from studio_core.data.tokenized import preview_record
from studio_core.methods import METHODS
from studio_core.models import registry


def form() -> tuple[gr.Dropdown, gr.Number, gr.Number, gr.HTML]:
    """Model, row and length limit to preview with, and the place for the preview."""
    with gr.Row():
        model = _model()
        row = gr.Number(
            1,
            label=t("data.preview_row"),
            info=t("data.preview_row_help"),
            precision=0,
            elem_id="data-preview-row",
            min_width=120,
        )
        limit = _limit()
    return model, row, limit, panel("data-preview")


def method_form() -> tuple[gr.Dropdown, gr.Dropdown, gr.Number, gr.HTML]:
    """Model, method and length limit to preview an opened record with, and the place for the preview."""
    with gr.Row():
        model = _model()
        method = gr.Dropdown(
            [],
            label=t("browse.method"),
            info=t("browse.method_help"),
            elem_id="data-preview-method",
            scale=2,
        )
        limit = _limit()
    return model, method, limit, panel("data-preview")


def _model() -> gr.Dropdown:
    return gr.Dropdown(
        [],
        label=t("data.preview_model"),
        info=t("data.preview_model_help"),
        elem_id="data-preview-model",
        scale=2,
    )


def _limit() -> gr.Number:
    return gr.Number(
        0,
        label=t("data.preview_limit"),
        info=t("data.preview_limit_help"),
        precision=0,
        elem_id="data-preview-limit",
        min_width=120,
    )


def methods(shape: str, language: str) -> tuple[str, gr.Dropdown]:
    """The methods that train on this shape, each with every loss that it offers; and the first of them."""
    choices = []
    for method in METHODS.values():
        if Shape(shape) not in method.shapes:
            continue
        name = say(method.title_key, language)
        losses = next((f for f in method.fields if f.name == "loss_on"), None)
        if losses is None or Shape(shape) is Shape.TEXT:  # Of plain text, every token is learnt.
            choices.append((name, method.name))
            continue
        for loss in losses.choices:
            choices.append((f"{name}, {say(f'browse.loss_{loss}', language)}", f"{method.name}:{loss}"))
    first = choices[0][1] if choices else ""
    return first, gr.Dropdown(choices=choices or [(say("browse.no_method", language), "")], value=first)


def models(studio: Studio, chosen: str | None) -> tuple[str | None, gr.Dropdown]:
    """The models that can be chosen now, and which one is: at a first start they come while one looks."""
    names = [model.name for model in registry.writers(studio)]
    preferred = (chosen, "tiny-chat", *names)
    model = next((name for name in preferred if name in names), None)
    return model, gr.Dropdown(choices=names, value=model)


def shown(
    studio: Studio,
    model: str | None,
    shape: str,
    record: Record | None,
    limit: Any,
    language: str,
    method: str | None = None,
) -> Markup:
    """One record as the model sees it, or why that cannot be shown. ``method`` is a value of ``methods``."""
    try:
        if record is None or model is None:
            return notice("info", say("data.no_preview" if model else "data.no_model", language))
        cut = int(limit) if limit and int(limit) > 0 else None
        learning = Learning("everything" if str(method or "").endswith(":everything") else "answers")
        preview = preview_record(registry.resolve(studio, model), Shape(shape), record, cut, learning)
        return record_view.as_the_model_sees_it(preview, Shape(shape), record, language)
    except StudioError as error:
        return notice("warn", sentence_of(error, language))
