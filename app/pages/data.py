"""Data: bring something in, see what was understood of it, say how its columns are used, store it."""

from __future__ import annotations

from typing import Any

import gradio as gr
from fastapi import APIRouter
from markupsafe import Markup

from app import uploads
from app.i18n import language_of, say, t
from app.parts import data_view, preview_form
from app.parts.adding import (
    as_state,
    files,
    folder,
    hub,
    mapping_form,
    paste,
    read,
    studio_made,
    table,
    waiting,
)
from app.parts.adding.mapping_form import FILLS, assign, mapping_of, remember
from app.parts.adding.understood import columns_table, summary
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import heading, notice, number, panel
from app.parts.keeping import bar, board, trash
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.states import State, Stop
from studio_core.base.studio import Studio
from studio_core.curation import adding, making
from studio_core.curation.adding import Brought
from studio_core.data.guesses import for_shape
from studio_core.data.shapes import Shape
from studio_core.data.store import Imported, Inspection
from studio_core.keeping.datasets import DATASETS
from studio_core.runs import queue
from studio_core.runs.engine_process import ensure_engine

NAME = "data"
PATH = "/data"
LIST = ("finder", "board", "listed", "deleted")
"""What the list of datasets is made of."""

WAYS = ("files", "folder", "hub", "paste", "table", "studio")


def routes(studio: Studio) -> APIRouter:
    return uploads.routes(studio)


def build(studio: Studio) -> None:
    states = {"brought": gr.State(None), "opened": gr.State(None), "running": gr.State(None)}
    parts = {**_arriving(studio, states), **states}
    with gr.Column(visible=False, elem_id="data-understood") as parts["understood"]:
        parts |= _understanding()
    parts["rejected"] = panel("data-rejected")
    with gr.Column(visible=False, elem_id="data-preview-card") as parts["preview"]:
        parts["model"], parts["row"], parts["limit"], parts["shown"] = preview_form.form()
    heading("data.list_title")
    parts |= {"finder": panel("data-find"), "board": board.board("data-keep", "data-things")}
    with gr.Column(elem_id="data-things"):
        parts["listed"].render()
        parts["deleted"] = panel("data-deleted")
    parts["timer"] = gr.Timer(1.0, active=False)
    page = DataPage(studio, parts)
    on_open(page.open, [parts[name] for name in (*LIST, "head", "model", "file", "running", "timer")])
    board.listen(studio, DATASETS, parts["board"], page.tidied, [parts["listed"], parts["deleted"]])
    _mapping(page)
    _storing(page)


def _arriving(studio: Studio, states: dict[str, gr.State]) -> dict[str, Any]:
    """The ways for data to come in, how a job goes that fetches or stores some, and what is said of it."""
    parts: dict[str, Any] = {"head": panel("data-head")}
    with gr.Tabs(elem_id="data-ways") as ways:
        tabs = {name: gr.Tab(t(f"adding.way_{name}"), id=name, elem_id=f"data-way-{name}") for name in WAYS}
    parts |= {"listed": panel("data-list", render=False), "answer": panel("data-answer", render=False)}
    brought = states["brought"]
    with ways:
        with tabs["files"]:
            parts["file"] = files.build(studio, brought)
        with tabs["folder"]:
            folder.build(studio, brought)
        with tabs["hub"]:
            hub.build(studio, states["running"])
        with tabs["paste"]:
            paste.build(studio, brought)
        with tabs["table"]:
            table.build(studio, brought)
        with tabs["studio"]:
            studio_made.build(studio, parts["answer"], parts["listed"])
    with gr.Column(visible=False, elem_id="data-running") as parts["going"]:
        parts["progress"] = panel("data-progress")
        parts["cancel"] = gr.Button(t("adding.cancel"), elem_id="data-cancel", size="sm")
    parts["answer"].render()
    return parts


def _understanding() -> dict[str, Any]:
    """What was understood of the rows, how their columns are used, and the button that stores them."""
    parts: dict[str, Any] = {"summary": panel("data-found"), **mapping_form.build()}
    with gr.Row(elem_id="data-store"):
        parts["name"] = gr.Textbox(
            label=t("data.name"), info=t("data.name_help"), elem_id="data-name", max_lines=1, scale=3
        )
        parts["start"] = gr.Button(
            t("data.import"), variant="primary", interactive=False, elem_id="data-import", scale=2
        )
    return parts


_INSPECTED = ("answer", "summary", "rejected", "start", "shown", "opened")
"""What is drawn again whenever the rows were looked at."""


def _mapping(page: DataPage) -> None:
    """Events of what came in and of its form: the rows are looked at again, and their preview changes."""
    parts = page.parts
    brought, opened, model, limit = (parts[name] for name in ("brought", "opened", "model", "limit"))
    typed = [brought, opened, model, limit, *(parts[name] for name in mapping_form.TYPED)]
    inspected = [parts[name] for name in _INSPECTED]
    form = [parts["columns"], *(parts[name] for name in mapping_form.NAMES)]
    corrected = [*inspected, *(parts[name] for name in mapping_form.FILL_NAMES)]
    arrived = [parts[name] for name in ("understood", "preview", "model", "name")]
    latest: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "always_last"}
    brought.change(safely(page.look), [brought, model, limit], [*arrived, *form, *inspected], **latest)
    parts["shape"].input(
        safely(page.shape), [brought, opened, parts["shape"], model, limit], [*form, *inspected], **latest
    )
    # One after the other: what is skipped would lose its roles, as Gradio keeps those of the first event.
    parts["columns"].assign(
        safely(page.assign),
        typed,
        corrected,
        api_visibility="private",
        trigger_mode="multiple",
        concurrency_limit=1,
    )
    gr.on(
        [
            *(parts[name].blur for name in (*mapping_form.TEXTS, *mapping_form.FILL_NAMES)),
            parts["good_from"].change,
            parts["split"].input,
            parts["turns_in_text"].input,
        ],
        safely(page.correct),
        typed,
        corrected,
        **latest,
    )
    parts["narrow"].change(  # "input" of a text box hears no paste and no deletion.
        safely(page.narrow),
        [opened, parts["narrow"]],
        [parts["columns"]],
        trigger_mode="always_last",
        **LIGHT,
    )
    gr.on(
        [model.input, parts["row"].change, limit.change],
        safely(page.previewed),
        [opened, model, parts["row"], limit],
        parts["shown"],
        trigger_mode="always_last",
        **LIGHT,
    )


def _storing(page: DataPage) -> None:
    """Events of the button that stores, and of the job that fetches or stores."""
    parts, running = page.parts, page.parts["running"]
    stored = ("answer", "listed", "understood", "preview", "rejected", "file", "brought", "opened", "running")
    parts["start"].click(
        safely(page.store),
        [parts[name] for name in ("brought", "opened", "name", *mapping_form.TYPED)],
        [parts[name] for name in stored],
        api_visibility="private",
        trigger_mode="once",
        # Two at once: each reads a whole file, and the machine has other work.
        concurrency_limit=2,
    )
    # Queued, since Gradio follows changes of a state after queued events only.
    watched = ("going", "progress", "answer", "listed", "brought", "running")
    parts["timer"].tick(safely(page.watch), [running], [parts[name] for name in watched], **ASKED)
    running.change(lambda job: gr.Timer(active=job is not None), running, parts["timer"], **LIGHT)
    parts["cancel"].click(safely(page.cancel), [running], None, **ASKED)


class DataPage(Handlers):
    """The page's handlers. ``brought`` is what came in, ``opened`` what was understood of it."""

    def open(self, request: gr.Request) -> Updates:
        language = language_of(request)
        _, choices = preview_form.models(self.studio, None)
        running = waiting.unfinished(self.studio)
        drawn = self._updates(
            head=data_view.page_head(language),
            finder=bar.search_bar(
                DATASETS,
                bar.query_of(request, data_view.SHOWN),
                PATH,
                "data-things",
                language,
                columns=data_view.COLUMNS,
                asked=bar.columns_of(request, data_view.COLUMNS),
            ),
            board=board.toolbar(DATASETS, language),
            model=choices,
            file=files.drawn(self.studio, language),
            running=running,
            timer=gr.Timer(active=running is not None),
        )
        return {**drawn, **self.tidied(request)}

    def look(self, brought: Any, model: str | None, limit: Any, request: gr.Request) -> Any:
        """Something has come in: say what it is, and offer its good rows."""
        language = language_of(request)
        if brought is None:  # It was stored, and that is being said.
            return gr.skip()
        if not brought:  # It was taken back.
            return self._nothing("")
        model, choices = preview_form.models(self.studio, model)
        try:
            location = adding.located(self.studio, read(brought))
            inspection = adding.inspect(self.studio, read(brought))
        except StudioError as error:
            # What is refused is said on the page, where it stays, not in a passing notice.
            return self._nothing(notice("bad", error.sentence(language)))
        shown = gr.Column(visible=True)
        arrived = self._updates(understood=shown, preview=shown, model=choices, name=location.name)
        return {**arrived, **self._whole_form(inspection, model, limit, language)}

    def _nothing(self, answer: Markup | str) -> Updates:
        hidden = gr.Column(visible=False)
        return self._updates(
            understood=hidden,
            preview=hidden,
            columns="",
            answer=answer,
            summary="",
            rejected="",
            start=gr.Button(interactive=False),
            shown="",
            opened=None,
        )

    def shape(
        self, brought: Any, opened: Any, shape: Any, model: str | None, limit: Any, request: gr.Request
    ) -> Updates:
        """Another shape was chosen: find the likeliest columns for it."""
        if not brought or not opened:
            raise BadInput("data.upload_gone")
        mapping = for_shape(_shape(shape), opened["columns"], opened["rows"])
        inspection = adding.inspect(self.studio, read(brought), mapping)
        return self._whole_form(inspection, model, limit, language_of(request))

    def _whole_form(self, inspection: Inspection, model: str | None, limit: Any, language: str) -> Updates:
        """The form filled anew with what the inspection found, and what it says of the rows."""
        opened = remember(inspection, inspection.placeholders)
        form = self._updates(
            columns=self._columns(opened, language), **mapping_form.drawn(inspection, opened)
        )
        return {**form, **self._inspected(inspection, opened, model, limit, language)}

    def assign(
        self,
        request: gr.Request,
        event: gr.EventData,
        brought: Any,
        opened: Any,
        model: str | None,
        limit: Any,
        *typed: Any,
    ) -> Updates:
        """Roles were chosen in the headers of the columns."""
        data = event._data
        opened = assign(opened, data.get("roles") if isinstance(data, dict) else None)
        return self.correct(request, brought, opened, model, limit, *typed)

    def correct(
        self, request: gr.Request, brought: Any, opened: Any, model: str | None, limit: Any, *typed: Any
    ) -> Updates:
        """A role, a text or a filler was changed: check the rows again."""
        mapping = mapping_of(opened, *typed)
        if not brought:
            raise BadInput("data.upload_gone")
        inspection = adding.inspect(self.studio, read(brought), mapping)
        # Names that have been filled in keep their boxes.
        names = list(dict.fromkeys([*opened["names"], *inspection.placeholders]))[:FILLS]
        opened = {**opened, "records": inspection.sample_records, "names": names}
        updates = self._inspected(inspection, opened, model, limit, language_of(request))
        return {**updates, **self._updates(**mapping_form.fills(names))}

    def narrow(self, opened: Any, narrow: Any, request: gr.Request) -> Markup | str:
        """Of many columns, those whose names contain what was typed."""
        if not opened:
            return ""
        # 200 characters: longer than a name that anyone would search for.
        return self._columns(opened, language_of(request), str(narrow or "")[:200])

    def previewed(
        self, opened: Any, model: str | None, row: Any, limit: Any, request: gr.Request
    ) -> Markup | str:
        return self._preview(opened, model, row, limit, language_of(request))

    def store(self, request: gr.Request, brought: Any, opened: Any, name: Any, *typed: Any) -> Updates:
        """Store the good rows: at once, or by a job if there are many."""
        language = language_of(request)
        mapping = mapping_of(opened, *typed)
        if not brought:
            raise BadInput("data.upload_gone")
        chosen = str(name or "").strip() or None
        result = adding.bring_in(self.studio, read(brought), name=chosen, mapping=mapping)
        hidden = gr.Column(visible=False)
        emptied = self._updates(
            understood=hidden,
            preview=hidden,
            file=files.drawn(self.studio, language, anew=True),
            brought=None,
            opened=None,
        )
        if not isinstance(result, Imported):
            ensure_engine(self.studio)
            return {**emptied, **self._updates(answer="", rejected="", running={"job": result.id})}
        if result.new:
            adding.judge(self.studio, result.dataset)
        rejected = data_view.rejected_rows(result.rejected, len(result.rejected), language, closed=True)
        answer = data_view.imported_notice(result, language)
        listed = self._list(language)
        return {**emptied, **self._updates(answer=answer, rejected=rejected, listed=listed)}

    def watch(self, running: Any, request: gr.Request) -> Updates:
        """How far the job is that fetches or imports; what it has made, once it is over."""
        language = language_of(request)
        hidden = self._updates(going=gr.Column(visible=False), progress="")
        if not running:
            return hidden
        job = queue.get(self.studio, int(running["job"]))
        if not waiting.is_over(job):
            progress = waiting.shown(self.studio, job, language)
            return self._updates(going=gr.Column(visible=True), progress=progress)
        ended = {**hidden, **self._updates(running=None)}
        if job.state != State.SUCCEEDED:
            failure = waiting.failed(job, language) if job.state == State.FAILED else ""
            return {**ended, **self._updates(answer=failure)}
        if job.method == making.FETCH:
            return {**ended, **self._updates(answer="", brought=as_state(Brought(job=job.id)))}
        answer = data_view.imported_notice(waiting.imported(self.studio, job), language)
        return {**ended, **self._updates(answer=answer, listed=self._list(language))}

    def cancel(self, running: Any) -> None:
        if running:
            # Cancelled and not saved: half of a file is no dataset that anybody asked for.
            queue.request_stop(self.studio, int(running["job"]), Stop.CANCEL)

    def _list(self, language: str) -> Markup:
        """All of them: what was just stored is to be seen, whatever was looked for before."""
        return data_view.dataset_list(self.studio, language)

    def tidied(self, request: gr.Request) -> Updates:
        """The list and the trash below it, once something was done with datasets."""
        language = language_of(request)
        query, asked = bar.query_of(request, data_view.SHOWN), bar.columns_of(request, data_view.COLUMNS)
        return self._updates(
            listed=data_view.dataset_list(self.studio, language, query, asked),
            deleted=trash.listed(self.studio, language, DATASETS.name),
        )

    def _columns(self, opened: dict[str, Any], language: str, narrow: str = "") -> Markup:
        return columns_table(
            opened["columns"],
            opened["rows"],
            Shape(opened["shape"]),
            opened["roles"],
            narrow,
            language,
        )

    def _inspected(
        self,
        inspection: Inspection,
        opened: dict[str, Any],
        model: str | None,
        limit: Any,
        language: str,
    ) -> Updates:
        """What an inspection found: the parts of ``_INSPECTED``."""
        key = "data.import_all" if not inspection.bad else "data.import_good"
        is_counted = inspection.good and inspection.whole
        label = say(key, language, n=number(inspection.good)) if is_counted else say("data.import", language)
        return self._updates(
            answer="",
            summary=summary(inspection, language),
            rejected=data_view.rejected_rows(inspection.reasons, inspection.bad, language),
            start=gr.Button(label, interactive=inspection.good > 0),
            shown=self._preview(opened, model, 1, limit, language),
            opened=opened,
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
