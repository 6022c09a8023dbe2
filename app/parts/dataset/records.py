"""Records: look through a version, page by page, and at one record as a model sees it."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, t
from app.parts import data_view, preview_form, record_view
from app.parts.dataset import opened
from app.parts.events import LIGHT, on_open
from app.parts.handlers import safely
from app.parts.html import panel
from studio_core.data import store
from studio_core.studio import Studio
from studio_core.tables import Dataset

NAME = "records"

PAGE = 20
"""Records on one page."""


def build(studio: Studio, tab: gr.Tab) -> None:
    section = Records(studio)
    model, row, limit, shown = preview_form.form()
    with gr.Row(elem_id="data-turning"):
        position = panel("data-position")
        back = gr.Button(t("data.previous"), elem_id="data-previous", scale=0, min_width=140)
        forward = gr.Button(t("data.next"), elem_id="data-next", scale=0, min_width=140)
    listed = panel("data-records")
    offset = gr.State(0)
    turning = [position, listed, offset]
    on_open(section.open, [*turning, model, shown])
    gr.on(
        [model.input, row.change, limit.change],
        safely(section.previewed),
        [model, row, limit],
        shown,
        trigger_mode="always_last",
        **LIGHT,
    )
    back.click(safely(section.back), [offset], turning, **LIGHT)
    forward.click(safely(section.forward), [offset], turning, **LIGHT)


class Records:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def open(self, request: gr.Request) -> tuple[Any, ...]:
        language = language_of(request)
        dataset = opened(self.studio, request)
        model, choices = preview_form.models(self.studio, None)
        return *self._turned(dataset, 0, language), choices, self._preview(dataset, model, 1, None, language)

    def back(self, offset: int, request: gr.Request) -> tuple[Any, ...]:
        return self._turned(opened(self.studio, request), int(offset) - PAGE, language_of(request))

    def forward(self, offset: int, request: gr.Request) -> tuple[Any, ...]:
        return self._turned(opened(self.studio, request), int(offset) + PAGE, language_of(request))

    def previewed(self, model: str | None, row: Any, limit: Any, request: gr.Request) -> Markup:
        dataset = opened(self.studio, request)
        return self._preview(dataset, model, max(1, int(row or 1)), limit, language_of(request))

    def _turned(self, dataset: Dataset, offset: int, language: str) -> tuple[Any, ...]:
        """Where the page is, its records, and the offset at which it begins."""
        last = max(0, (dataset.rows - 1) // PAGE * PAGE)
        offset = min(max(0, offset), last)
        found = store.records(self.studio, dataset, offset, PAGE)
        where = data_view.position(offset, len(found), dataset.rows, language)
        return where, record_view.stored(found, offset + 1, language), offset

    def _preview(self, dataset: Dataset, model: str | None, row: int, limit: Any, language: str) -> Markup:
        found = store.records(self.studio, dataset, min(row, dataset.rows) - 1, 1)
        record = found[0] if found else None
        return preview_form.shown(self.studio, model, dataset.shape, record, limit, language)
