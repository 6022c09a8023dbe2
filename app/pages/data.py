"""Data: bring something in, see what was understood of it, say how its columns are used, store it."""

from __future__ import annotations

from typing import Any

import gradio as gr
from fastapi import APIRouter
from markupsafe import Markup

from app import uploads
from app.i18n import language_of, say, t
from app.parts import data_view, preview_form
from app.parts.adding import files, folder, hub, mapping_form, paste, read, studio_made, table, taken, waiting
from app.parts.adding.mapping_form import FILLS, WRITTEN, assigned, mapping_of, remembered
from app.parts.adding.understood import columns_table, found
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import safely
from app.parts.html import notice, number, panel
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.states import State, Stop
from studio_core.base.studio import Studio
from studio_core.curation import adding, making
from studio_core.curation.adding import Brought
from studio_core.data import store
from studio_core.data.mapping import for_shape
from studio_core.data.shapes import Shape
from studio_core.data.store import Imported, Inspection
from studio_core.runs import queue
from studio_core.runs.engine_process import ensure_engine

NAME = "data"
PATH = "/data"

WAYS = ("files", "folder", "hub", "paste", "table", "studio")

_FORM = 2 + len(WRITTEN) + 3 + FILLS
"""Components of the mapping form, without the table of columns."""


def routes(studio: Studio) -> APIRouter:
    return uploads.routes(studio)


def build(studio: Studio) -> None:
    page = DataPage(studio)
    head = panel("data-head")
    brought, opened, running = gr.State(None), gr.State(None), gr.State(None)
    with gr.Tabs(elem_id="data-ways") as ways:
        tabs = {name: gr.Tab(t(f"adding.way_{name}"), id=name, elem_id=f"data-way-{name}") for name in WAYS}
    listed, answer = panel("data-list", render=False), panel("data-answer", render=False)
    with ways:
        with tabs["files"]:
            file = files.build(studio, brought)
        with tabs["folder"]:
            folder.build(studio, brought)
        with tabs["hub"]:
            hub.build(studio, running)
        with tabs["paste"]:
            paste.build(studio, brought)
        with tabs["table"]:
            table.build(studio, brought)
        with tabs["studio"]:
            studio_made.build(studio, answer, listed)
    with gr.Column(visible=False, elem_id="data-running") as going:
        progress = panel("data-progress")
        cancel = gr.Button(t("adding.cancel"), elem_id="data-cancel", size="sm")
    answer.render()
    with gr.Column(visible=False, elem_id="data-understood") as understood:
        summary = panel("data-found")
        form = mapping_form.build()
        with gr.Row(elem_id="data-store"):
            name = gr.Textbox(
                label=t("data.name"), info=t("data.name_help"), elem_id="data-name", max_lines=1, scale=3
            )
            start = gr.Button(
                t("data.import"), variant="primary", interactive=False, elem_id="data-import", scale=2
            )
    rejected = panel("data-rejected")
    with gr.Column(visible=False, elem_id="data-preview-card") as preview:
        model, row, limit, shown = preview_form.form()
    listed.render()

    fields = [
        form.shape,
        form.narrow,
        *form.texts,
        form.good_from,
        form.split,
        form.turns_in_text,
        *form.fills,
    ]
    seen = [answer, summary, rejected, start, shown, opened]
    again = [*seen, *form.fills]
    queued: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "always_last"}
    timer = gr.Timer(1.0, active=False)
    on_open(page.open, [head, listed, model, file, running, timer])
    brought.change(
        safely(page.looked),
        [brought, model, limit],
        [understood, preview, model, form.columns, *fields, name, *seen],
        **queued,
    )
    form.shape.input(
        safely(page.shaped),
        [brought, opened, form.shape, model, limit],
        [form.columns, *fields, *seen],
        **queued,
    )
    typed = [brought, opened, model, limit, *form.typed]
    # One after the other: what is skipped would lose its roles, as Gradio keeps those of the first event.
    form.columns.assign(
        safely(page.assigned),
        typed,
        again,
        api_visibility="private",
        trigger_mode="multiple",
        concurrency_limit=1,
    )
    gr.on(
        [
            *(box.blur for box in (*form.texts, *form.fills)),
            form.good_from.change,
            form.split.input,
            form.turns_in_text.input,
        ],
        safely(page.corrected),
        typed,
        again,
        **queued,
    )
    form.narrow.change(  # "input" of a text box hears no paste and no deletion.
        safely(page.narrowed),
        [opened, form.narrow],
        [form.columns],
        trigger_mode="always_last",
        **LIGHT,
    )
    gr.on(
        [model.input, row.change, limit.change],
        safely(page.previewed),
        [opened, model, row, limit],
        shown,
        trigger_mode="always_last",
        **LIGHT,
    )
    start.click(
        safely(page.imported),
        [brought, opened, name, *form.typed],
        [answer, listed, understood, preview, rejected, file, brought, opened, running],
        api_visibility="private",
        trigger_mode="once",
        concurrency_limit=2,
    )
    # Queued, since Gradio follows changes of a state after queued events only.
    timer.tick(safely(page.ticked), [running], [going, progress, answer, listed, brought, running], **ASKED)
    running.change(lambda job: gr.Timer(active=job is not None), running, timer, **LIGHT)
    cancel.click(safely(page.cancelled), [running], None, **ASKED)


class DataPage:
    """The page's handlers. ``brought`` is what came in, ``opened`` what was understood of it."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def open(self, request: gr.Request) -> tuple[Any, ...]:
        language = language_of(request)
        _, choices = preview_form.models(self.studio, None)
        listed = data_view.dataset_list(store.all_datasets(self.studio), language)
        drop = files.drawn(self.studio, language)
        running = waiting.unfinished(self.studio)
        timer = gr.Timer(active=running is not None)
        return data_view.page_head(language), listed, choices, drop, running, timer

    def looked(self, brought: Any, model: str | None, limit: Any, request: gr.Request) -> tuple[Any, ...]:
        """Something has come in: say what it is, and offer its good rows."""
        language = language_of(request)
        if brought is None:  # It was stored, and that is being said.
            return (gr.skip(),) * (_FORM + 11)
        if not brought:  # It was taken back.
            return self._nothing("")
        model, choices = preview_form.models(self.studio, model)
        try:
            found_here = adding.located(self.studio, read(brought))
            seen = adding.inspect(self.studio, read(brought))
        except StudioError as error:
            # What is refused is said on the page, where it stays, not in a passing notice.
            return self._nothing(notice("bad", error.sentence(language)))
        opened = remembered(seen, seen.placeholders)
        shown = gr.Column(visible=True)
        return (
            shown,
            shown,
            choices,
            self._columns(opened, language),
            *mapping_form.drawn(seen, opened),
            found_here.name,
            *self._seen(seen, opened, model, limit, language),
        )

    def _nothing(self, said: Markup | str) -> tuple[Any, ...]:
        hidden, skipped = gr.Column(visible=False), [gr.skip()] * (_FORM + 2)
        return (
            hidden,
            hidden,
            skipped[0],
            "",
            *skipped[1:],
            said,
            "",
            "",
            gr.Button(interactive=False),
            "",
            None,
        )

    def shaped(
        self, brought: Any, opened: Any, shape: Any, model: str | None, limit: Any, request: gr.Request
    ) -> tuple[Any, ...]:
        """Another shape was chosen: find the likeliest columns for it."""
        language = language_of(request)
        if not brought or not opened:
            raise BadInput("data.upload_gone")
        mapping = for_shape(_shape(shape), opened["columns"], opened["rows"])
        seen = adding.inspect(self.studio, read(brought), mapping)
        opened = remembered(seen, seen.placeholders)
        return (
            self._columns(opened, language),
            *mapping_form.drawn(seen, opened),
            *self._seen(seen, opened, model, limit, language),
        )

    def assigned(
        self,
        request: gr.Request,
        event: gr.EventData,
        brought: Any,
        opened: Any,
        model: str | None,
        limit: Any,
        *typed: Any,
    ) -> tuple[Any, ...]:
        """Roles were chosen in the headers of the columns."""
        data = event._data
        opened = assigned(opened, data.get("roles") if isinstance(data, dict) else None)
        return self.corrected(request, brought, opened, model, limit, *typed)

    def corrected(
        self, request: gr.Request, brought: Any, opened: Any, model: str | None, limit: Any, *typed: Any
    ) -> tuple[Any, ...]:
        """A role, a text or a filler was changed: check the rows again."""
        mapping = mapping_of(opened, *typed)
        if not brought:
            raise BadInput("data.upload_gone")
        seen = adding.inspect(self.studio, read(brought), mapping)
        # Names that have been filled in keep their boxes.
        names = list(dict.fromkeys([*opened["names"], *seen.placeholders]))[:FILLS]
        opened = {**opened, "records": seen.sample_records, "names": names}
        fills = mapping_form.fills(names)
        return *self._seen(seen, opened, model, limit, language_of(request)), *fills

    def narrowed(self, opened: Any, narrow: Any, request: gr.Request) -> Markup | str:
        """Of many columns, those whose names contain what was typed."""
        if not opened:
            return ""
        return self._columns(opened, language_of(request), str(narrow or "")[:200])

    def previewed(
        self, opened: Any, model: str | None, row: Any, limit: Any, request: gr.Request
    ) -> Markup | str:
        return self._preview(opened, model, row, limit, language_of(request))

    def imported(
        self, request: gr.Request, brought: Any, opened: Any, name: Any, *typed: Any
    ) -> tuple[Any, ...]:
        """Store the good rows: at once, or by a job if there are many."""
        language = language_of(request)
        mapping = mapping_of(opened, *typed)
        if not brought:
            raise BadInput("data.upload_gone")
        chosen = str(name or "").strip() or None
        made = adding.bring_in(self.studio, read(brought), name=chosen, mapping=mapping)
        hidden, drop = gr.Column(visible=False), files.drawn(self.studio, language, anew=True)
        if not isinstance(made, Imported):
            ensure_engine(self.studio)
            return "", gr.skip(), hidden, hidden, "", drop, None, None, {"job": made.id}
        if made.new:
            adding.judge(self.studio, made.dataset)
        listed = data_view.dataset_list(store.all_datasets(self.studio), language)
        rejected = data_view.rejected_rows(made.rejected, len(made.rejected), language, closed=True)
        said = data_view.imported_notice(made, language)
        return said, listed, hidden, hidden, rejected, drop, None, None, gr.skip()

    def ticked(self, running: Any, request: gr.Request) -> tuple[Any, ...]:
        """How far the job is that fetches or imports; what it has made, once it is over."""
        language = language_of(request)
        skip = gr.skip()
        if not running:
            return gr.Column(visible=False), "", skip, skip, skip, skip
        job = queue.get(self.studio, int(running["job"]))
        if not waiting.is_over(job):
            return gr.Column(visible=True), waiting.shown(self.studio, job, language), skip, skip, skip, skip
        hidden = gr.Column(visible=False)
        if job.state != State.SUCCEEDED:
            said = waiting.failed(job, language) if job.state == State.FAILED else ""
            return hidden, "", said, skip, skip, None
        if job.method == making.FETCH:
            return hidden, "", "", skip, taken(Brought(job=job.id)), None
        listed = data_view.dataset_list(store.all_datasets(self.studio), language)
        said = data_view.imported_notice(waiting.imported(self.studio, job), language)
        return hidden, "", said, listed, skip, None

    def cancelled(self, running: Any) -> None:
        if running:
            queue.request_stop(self.studio, int(running["job"]), Stop.CANCEL)

    def _columns(self, opened: dict[str, Any], language: str, narrow: str = "") -> Markup:
        return columns_table(
            opened["columns"],
            opened["rows"],
            Shape(opened["shape"]),
            opened["roles"],
            narrow,
            language,
        )

    def _seen(
        self, seen: Inspection, opened: dict[str, Any], model: str | None, limit: Any, language: str
    ) -> tuple[Any, ...]:
        key = "data.import_all" if not seen.bad else "data.import_good"
        counted = seen.good and seen.whole
        label = say(key, language, n=number(seen.good)) if counted else say("data.import", language)
        return (
            "",
            found(seen, language),
            data_view.rejected_rows(seen.reasons, seen.bad, language),
            gr.Button(label, interactive=seen.good > 0),
            self._preview(opened, model, 1, limit, language),
            opened,
        )

    def _preview(self, opened: Any, model: str | None, row: Any, limit: Any, language: str) -> Markup | str:
        records = opened["records"] if opened else []
        record = records[min(max(1, int(row or 1)), len(records)) - 1] if records else None
        shape = opened["shape"] if opened else Shape.TEXT
        return preview_form.shown(self.studio, model, shape, record, limit, language)


def _shape(value: Any) -> Shape:
    try:
        return Shape(value)
    except ValueError as error:
        raise BadInput("data.shape_unknown", shape=str(value)[:40]) from error
