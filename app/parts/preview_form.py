"""Looking at one record as a model sees it: which model, which row, cut at which length."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import say, t
from app.parts import record_view
from app.parts.handlers import sentence_of
from app.parts.html import notice, panel
from studio_core.data.preview import ChatFormat
from studio_core.data.shapes import Record, Shape
from studio_core.errors import StudioError
from studio_core.models import registry
from studio_core.studio import Studio


def form() -> tuple[gr.Dropdown, gr.Number, gr.Number, gr.HTML]:
    """Model, row and length limit to preview with, and the place for the preview."""
    with gr.Row():
        model = gr.Dropdown(
            [],
            label=t("data.preview_model"),
            info=t("data.preview_model_help"),
            elem_id="data-preview-model",
            scale=2,
        )
        row = gr.Number(
            1,
            label=t("data.preview_row"),
            info=t("data.preview_row_help"),
            precision=0,
            elem_id="data-preview-row",
            min_width=120,
        )
        limit = gr.Number(
            0,
            label=t("data.preview_limit"),
            info=t("data.preview_limit_help"),
            precision=0,
            elem_id="data-preview-limit",
            min_width=120,
        )
    return model, row, limit, panel("data-preview")


def models(studio: Studio, chosen: str | None) -> tuple[str | None, gr.Dropdown]:
    """The models that can be chosen now, and which one is: at a first start they come while one looks."""
    names = [model.name for model in registry.all_models(studio)]
    preferred = (chosen, "tiny-chat", *names)
    model = next((name for name in preferred if name in names), None)
    return model, gr.Dropdown(choices=names, value=model)


def shown(
    studio: Studio, model: str | None, shape: str, record: Record | None, limit: Any, language: str
) -> Markup:
    """One record as the model sees it, or why that cannot be shown."""
    try:
        if record is None or model is None:
            return notice("info", say("data.no_preview" if model else "data.no_model", language))
        chat = ChatFormat.of(registry.resolve(studio, model))
        cut = int(limit) if limit and int(limit) > 0 else None
        return record_view.as_the_model_sees_it(chat, Shape(shape), record, cut, language)
    except StudioError as error:
        return notice("warn", sentence_of(error, language))
