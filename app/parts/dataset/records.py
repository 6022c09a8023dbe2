"""Records: look through a version of any size, search, filter and sort it; open one as a chat, as JSON, as tokens."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from app.files import asset
from app.i18n import language_of, t
from app.parts import preview_form, record_table, record_view
from app.parts.dataset import opened
from app.parts.dataset.record_form import Form, form, query_of
from app.parts.events import LIGHT, on_open
from app.parts.handlers import safely, sentence_of
from app.parts.html import notice, panel
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.browse import browse
from studio_core.browse.browse import Page, Query
from studio_core.data.shapes import Record

NAME = "records"

COUNT_EVERY = 1.0
"""Seconds between two looks at a search that has not been through all records, each of ``COUNT_FOR`` seconds."""
# Most of each second, so that a count ends soon, and the rest for other readers.
COUNT_FOR = 0.6

_SCRIPT = "import('{}').then((m) => m.mount(element, trigger)); 'act'"


def build(studio: Studio, tab: gr.Tab) -> None:
    section = Records(studio)
    asked = form()
    script = _SCRIPT.format(asset("js/records.js"))
    with gr.Column(visible=False, elem_id="record-card") as card:
        head = panel("record-head", js_on_load=script)
        with gr.Tabs(elem_id="record-tabs"):
            with gr.Tab(t("browse.as_chat"), elem_id="record-tab-chat"):
                chat = panel("record-chat")
            with gr.Tab(t("browse.as_tokens"), elem_id="record-tab-tokens"):
                model, method, limit, tokens = preview_form.method_form()
            with gr.Tab(t("browse.as_json"), elem_id="record-tab-json"):
                stored = panel("record-json", js_on_load=script)
    with gr.Row(elem_id="data-turning"):
        position = panel("data-position", js_on_load=script)
        back = gr.Button(t("data.previous"), elem_id="data-previous", scale=0, min_width=140)
        forward = gr.Button(t("data.next"), elem_id="data-next", scale=0, min_width=140)
    listed = panel("data-records", js_on_load=script)
    offset, row, before = gr.State(0), gr.State(0), gr.State(None)
    counting = gr.Timer(COUNT_EVERY, active=False)

    turning = [position, listed, offset, counting, before]
    record = [card, head, chat, stored, tokens, row]
    previewed: list[Component] = [model, method, limit]
    on_open(section.open, [*asked.components, *turning, model, method, *record])
    latest: dict[str, Any] = {**LIGHT, "trigger_mode": "always_last"}
    gr.on(asked.events, safely(section.look), [before, *asked.components], turning, **latest)
    asked.jump.submit(safely(section.jump), [asked.jump, *previewed], [*record], **latest)
    asked.reset.click(safely(section.reset), None, [*asked.components, *turning], **LIGHT)
    back.click(safely(section.back), [offset, *asked.components], turning, **LIGHT)
    forward.click(safely(section.forward), [offset, *asked.components], turning, **LIGHT)
    counting.tick(safely(section.count), [offset, *asked.components], turning, **latest)
    for place in (listed, head):
        # Each key counts: an event that waits for the one before would lose what was pressed meanwhile.
        place.act(safely(section.act), [row, *previewed], record, trigger_mode="multiple", **LIGHT)
    gr.on(
        [model.input, method.input, limit.change],
        safely(section.previewed),
        [row, *previewed],
        tokens,
        **latest,
    )


class Records:
    """The section's handlers. ``form`` is the values of ``Form.components`` in their order."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def open(self, request: gr.Request) -> tuple[Any, ...]:
        """The search that the address says, and the record that it names."""
        language = language_of(request)
        dataset = opened(self.studio, request)
        facets = browse.facets(self.studio, dataset)
        values, updates = Form.opened(request.query_params, facets, language)
        model, choices = preview_form.models(self.studio, None)
        method, methods = preview_form.methods(dataset.shape, language)
        row = _whole(request.query_params.get("row"))
        offset = _whole(request.query_params.get("offset"))
        return (
            *updates,
            *self._turned(dataset, offset, values, language),
            choices,
            methods,
            *self._opened(dataset, row, model, method, None, language),
        )

    def look(self, request: gr.Request, before: Any, *form: Any) -> Any:
        """Look for what the form says now, from the first page on."""
        if list(form) == before:  # A field was left as it was.
            return gr.skip()
        return self._turned(opened(self.studio, request), 0, form, language_of(request))

    def reset(self, request: gr.Request) -> tuple[Any, ...]:
        language, dataset = language_of(request), opened(self.studio, request)
        values, updates = Form.opened({}, browse.facets(self.studio, dataset), language)
        return *updates, *self._turned(dataset, 0, values, language)

    def back(self, request: gr.Request, offset: Any, *form: Any) -> tuple[Any, ...]:
        return self._by(-1, offset, form, request)

    def forward(self, request: gr.Request, offset: Any, *form: Any) -> tuple[Any, ...]:
        return self._by(1, offset, form, request)

    def _by(self, pages: int, offset: Any, form: tuple[Any, ...], request: gr.Request) -> tuple[Any, ...]:
        dataset = opened(self.studio, request)
        query, size = query_of(form)
        wanted = max(0, _whole(offset) + pages * size)
        if pages > 0:
            found = browse.page(self.studio, dataset, query, wanted, size)
            wanted = wanted if found.rows else _whole(offset)
        return self._turned(dataset, wanted, form, language_of(request))

    def count(self, request: gr.Request, offset: Any, *form: Any) -> tuple[Any, ...]:
        """Look through further records, and say how many were found as yet."""
        dataset, language = opened(self.studio, request), language_of(request)
        return self._turned(dataset, _whole(offset), form, language, count_for=COUNT_FOR)

    def jump(self, request: gr.Request, jump: Any, model: Any, method: Any, limit: Any) -> tuple[Any, ...]:
        dataset, language = opened(self.studio, request), language_of(request)
        row = _whole(jump)
        if not 1 <= row <= dataset.rows:
            raise BadInput("browse.no_such_row", row=row, rows=dataset.rows)
        return self._opened(dataset, row, model, method, limit, language)

    def act(
        self, request: gr.Request, event: gr.EventData, row: Any, model: Any, method: Any, limit: Any
    ) -> tuple[Any, ...]:
        """What a click or a key asks for: to open a record, or to close it."""
        asked = event._data if isinstance(event._data, dict) else {}
        dataset = opened(self.studio, request)
        wanted = 0 if asked.get("close") else _whole(asked.get("open"))
        return self._opened(dataset, wanted, model, method, limit, language_of(request))

    def previewed(self, request: gr.Request, row: Any, model: Any, method: Any, limit: Any) -> Markup | str:
        dataset = opened(self.studio, request)
        record = self._record(dataset, _whole(row))
        language = language_of(request)
        return preview_form.shown(self.studio, model, dataset.shape, record, limit, language, method)

    def _turned(
        self, dataset: Dataset, offset: int, form: Any, language: str, *, count_for: float = 0.0
    ) -> tuple[Any, ...]:
        """Where the page is, its records, its offset, and whether the counting goes on."""
        try:
            query, size = query_of(form)
            page = browse.page(self.studio, dataset, query, offset, size, count_for=count_for)
        except StudioError as error:
            # Said on the page, where it stays while the search is mended.
            return notice("warn", sentence_of(error, language)), "", 0, gr.Timer(active=False), list(form)
        terms = [*query.terms, *(text for _, text in query.columns)]
        address = {**Form.address(form), "id": dataset.id, **({"offset": offset} if offset else {})}
        links = {row: f"/dataset?{urlencode({**address, 'row': row})}" for row, _ in page.rows}
        here = f"/dataset?{urlencode(address)}"
        where = record_table.position(page, offset, dataset.rows, here, language, first_look=not count_for)
        shown = record_table.rows(page, terms, links, language)
        return where, shown, offset, gr.Timer(active=not page.exact), list(form)

    def _record(self, dataset: Dataset, row: int) -> Record | None:
        if not 1 <= row <= dataset.rows:
            return None
        [(_, record)] = browse.page(self.studio, dataset, Query(), row - 1, 1).rows
        return record

    def _opened(
        self, dataset: Dataset, row: int, model: Any, method: Any, limit: Any, language: str
    ) -> tuple[Any, ...]:
        """The card of one record; closed if there is no such row."""
        if not 1 <= row <= dataset.rows:
            return gr.Column(visible=False), "", "", "", "", 0
        page: Page = browse.page(self.studio, dataset, Query(), row - 1, 1)
        [(_, record)] = page.rows
        return (
            gr.Column(visible=True),
            record_table.opened_head(dataset, row, page.features.get(row, {}), language),
            record_view.in_full(record, language),
            record_table.as_json(record, language),
            preview_form.shown(self.studio, model, dataset.shape, record, limit, language, method),
            row,
        )


def _whole(value: Any) -> int:
    """A number that a page sent; 0 for what is none."""
    text = str(int(value)) if isinstance(value, int | float) and abs(value) < 1e15 else str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
