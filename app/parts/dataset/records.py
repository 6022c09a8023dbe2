"""Records: look through a version of any size, search, filter and sort it; open one as a chat, as JSON, as tokens."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import gradio as gr
from markupsafe import Markup

from app.files import mounts
from app.i18n import language_of, t
from app.parts import preview_form, record_table, record_view
from app.parts.dataset import opened
from app.parts.dataset.record_form import Form, form, query_of
from app.parts.events import LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely, sentence_of
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


def build(studio: Studio, tab: gr.Tab) -> None:
    asked = form()
    script = f"{mounts('js/records.js', 'trigger')}; 'act'"
    parts: dict[str, Any] = {**asked.parts, **_card(script)}
    with gr.Row(elem_id="data-turning"):
        parts["position"] = panel("data-position", js_on_load=script)
        for name, label in (("back", "previous"), ("forward", "next")):
            parts[name] = gr.Button(t(f"data.{label}"), elem_id=f"data-{label}", scale=0, min_width=140)
    parts["listed"] = panel("data-records", js_on_load=script)
    parts |= {"offset": gr.State(0), "row": gr.State(0), "before": gr.State(None)}
    parts["counting"] = gr.Timer(COUNT_EVERY, active=False)
    section = Records(studio, parts)
    fields, previewed = list(asked.parts.values()), [parts[name] for name in ("model", "method", "limit")]
    turning = [parts[name] for name in ("position", "listed", "offset", "counting", "before")]
    record = [parts[name] for name in ("card", "head", "chat", "stored", "tokens", "row")]
    on_open(section.open, [*fields, *turning, *previewed[:2], *record])
    latest: dict[str, Any] = {**LIGHT, "trigger_mode": "always_last"}
    gr.on(asked.events, safely(section.look), [parts["before"], *fields], turning, **latest)
    asked.jump.submit(safely(section.jump), [asked.jump, *previewed], record, **latest)
    asked.reset.click(safely(section.reset), None, [*fields, *turning], **LIGHT)
    parts["back"].click(safely(section.back), [parts["offset"], *fields], turning, **LIGHT)
    parts["forward"].click(safely(section.forward), [parts["offset"], *fields], turning, **LIGHT)
    parts["counting"].tick(safely(section.count), [parts["offset"], *fields], turning, **latest)
    for place in (parts["listed"], parts["head"]):
        # Each key counts: an event that waits for the one before would lose what was pressed meanwhile.
        place.act(safely(section.act), [parts["row"], *previewed], record, trigger_mode="multiple", **LIGHT)
    gr.on(
        [parts["model"].input, parts["method"].input, parts["limit"].change],
        safely(section.previewed),
        [parts["row"], *previewed],
        parts["tokens"],
        **latest,
    )


def _card(script: str) -> dict[str, Any]:
    """One record, opened: as a chat, as tokens, as JSON."""
    parts: dict[str, Any] = {}
    with gr.Column(visible=False, elem_id="record-card") as parts["card"]:
        parts["head"] = panel("record-head", js_on_load=script)
        with gr.Tabs(elem_id="record-tabs"):
            with gr.Tab(t("browse.as_chat"), elem_id="record-tab-chat"):
                parts["chat"] = panel("record-chat")
            with gr.Tab(t("browse.as_tokens"), elem_id="record-tab-tokens"):
                parts["model"], parts["method"], parts["limit"], parts["tokens"] = preview_form.method_form()
            with gr.Tab(t("browse.as_json"), elem_id="record-tab-json"):
                parts["stored"] = panel("record-json", js_on_load=script)
    return parts


class Records(Handlers):
    """The section's handlers. ``form`` is the values of ``Form.parts`` in their order."""

    def open(self, request: gr.Request) -> Updates:
        """The search that the address says, and the record that it names."""
        language = language_of(request)
        dataset = opened(self.studio, request)
        facets = browse.facets(self.studio, dataset)
        values, updates = Form.opened(request.query_params, facets, language)
        model, choices = preview_form.models(self.studio, None)
        method, methods = preview_form.methods(dataset.shape, language)
        row = _whole(request.query_params.get("row"))
        offset = _whole(request.query_params.get("offset"))
        return {
            **self._updates(**updates, model=choices, method=methods),
            **self._page(dataset, offset, values, language),
            **self._record_card(dataset, row, model, method, None, language),
        }

    def look(self, request: gr.Request, before: Any, *form: Any) -> Any:
        """Look for what the form says now, from the first page on."""
        if list(form) == before:  # A field was left as it was.
            return gr.skip()
        return self._page(opened(self.studio, request), 0, form, language_of(request))

    def reset(self, request: gr.Request) -> Updates:
        language, dataset = language_of(request), opened(self.studio, request)
        values, updates = Form.opened({}, browse.facets(self.studio, dataset), language)
        return {**self._updates(**updates), **self._page(dataset, 0, values, language)}

    def back(self, request: gr.Request, offset: Any, *form: Any) -> Updates:
        return self._turn(-1, offset, form, request)

    def forward(self, request: gr.Request, offset: Any, *form: Any) -> Updates:
        return self._turn(1, offset, form, request)

    def _turn(self, pages: int, offset: Any, form: tuple[Any, ...], request: gr.Request) -> Updates:
        dataset = opened(self.studio, request)
        query, size = query_of(form)
        wanted = max(0, _whole(offset) + pages * size)
        if pages > 0 and not browse.page(self.studio, dataset, query, wanted, size).rows:
            wanted = _whole(offset)  # There is no page after this one.
        return self._page(dataset, wanted, form, language_of(request))

    def count(self, request: gr.Request, offset: Any, *form: Any) -> Updates:
        """Look through further records, and say how many were found as yet."""
        dataset, language = opened(self.studio, request), language_of(request)
        return self._page(dataset, _whole(offset), form, language, count_for=COUNT_FOR)

    def jump(self, request: gr.Request, jump: Any, model: Any, method: Any, limit: Any) -> Updates:
        dataset, language = opened(self.studio, request), language_of(request)
        row = _whole(jump)
        if not 1 <= row <= dataset.rows:
            raise BadInput("browse.no_such_row", row=row, rows=dataset.rows)
        return self._record_card(dataset, row, model, method, limit, language)

    def act(
        self, request: gr.Request, event: gr.EventData, row: Any, model: Any, method: Any, limit: Any
    ) -> Updates:
        """What a click or a key asks for: to open a record, or to close it."""
        asked = event._data if isinstance(event._data, dict) else {}
        dataset = opened(self.studio, request)
        wanted = 0 if asked.get("close") else _whole(asked.get("open"))
        return self._record_card(dataset, wanted, model, method, limit, language_of(request))

    def previewed(self, request: gr.Request, row: Any, model: Any, method: Any, limit: Any) -> Markup | str:
        dataset = opened(self.studio, request)
        record = self._record(dataset, _whole(row))
        language = language_of(request)
        return preview_form.shown(self.studio, model, dataset.shape, record, limit, language, method)

    def _page(
        self, dataset: Dataset, offset: int, form: Any, language: str, *, count_for: float = 0.0
    ) -> Updates:
        """Where the page is, its records, its offset, and whether the counting goes on."""
        try:
            query, size = query_of(form)
            page = browse.page(self.studio, dataset, query, offset, size, count_for=count_for)
        except StudioError as error:
            # Said on the page, where it stays while the search is mended.
            return self._updates(
                position=notice("warn", sentence_of(error, language)),
                listed="",
                offset=0,
                counting=gr.Timer(active=False),
                before=list(form),
            )
        terms = [*query.terms, *(text for _, text in query.columns)]
        address = {**Form.address(form), "id": dataset.id, **({"offset": offset} if offset else {})}
        links = {row: f"/dataset?{urlencode({**address, 'row': row})}" for row, _ in page.rows}
        here = f"/dataset?{urlencode(address)}"
        return self._updates(
            position=record_table.position(
                page, offset, dataset.rows, here, language, first_look=not count_for
            ),
            listed=record_table.rows(page, terms, links, language),
            offset=offset,
            counting=gr.Timer(active=not page.exact),
            before=list(form),
        )

    def _record(self, dataset: Dataset, row: int) -> Record | None:
        if not 1 <= row <= dataset.rows:
            return None
        [(_, record)] = browse.page(self.studio, dataset, Query(), row - 1, 1).rows
        return record

    def _record_card(
        self, dataset: Dataset, row: int, model: Any, method: Any, limit: Any, language: str
    ) -> Updates:
        """The card of one record; closed if there is no such row."""
        if not 1 <= row <= dataset.rows:
            closed = gr.Column(visible=False)
            return self._updates(card=closed, head="", chat="", stored="", tokens="", row=0)
        page: Page = browse.page(self.studio, dataset, Query(), row - 1, 1)
        [(_, record)] = page.rows
        return self._updates(
            card=gr.Column(visible=True),
            head=record_table.opened_head(dataset, row, page.features.get(row, {}), language),
            chat=record_view.in_full(record, language),
            stored=record_table.as_json(record, language),
            tokens=preview_form.shown(self.studio, model, dataset.shape, record, limit, language, method),
            row=row,
        )


def _whole(value: Any) -> int:
    """A number that a page sent; 0 for what is none."""
    text = str(int(value)) if isinstance(value, int | float) and abs(value) < 1e15 else str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
