"""Runs: the list of all trainings, and one run's own page while it goes on and afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from fastapi import APIRouter
from markupsafe import Markup

from app.i18n import in_html, language_of
from app.parts import comparison_page, handover_page, queue_panel, run_list, run_watch, sweep_page
from app.parts.devices_panel import devices_panel
from app.parts.events import LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import heading, html, notice, panel
from app.parts.keeping import board, trash
from app.parts.run_watch import RunWatch
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.keeping.runs import RUNS
from studio_core.keeping.search import Query
from studio_core.runs.kinds import LISTED

NAME = "runs"
PATH = "/runs"

# States change in minutes; a run that is watched has its own page.
LIST_EVERY = 2.0


def _elsewhere(request: gr.Request) -> bool:
    """Whether the page shows several runs beside each other, a sweep or a hand-over: a section that draws itself."""
    return any(request.query_params.get(name) for name in ("compare", "sweep", "handover"))


def routes(studio: Studio) -> APIRouter:
    """Runs as folders for other trainers."""
    return handover_page.routes(studio)


def build(studio: Studio) -> None:
    with gr.Column(elem_id="runs-overview") as overview:
        heading("runs.title", level=1)
        panel("runs-notices", f'<a href="/notices">{in_html("shell.nav_notices")}</a>')
        slow = gr.Timer(LIST_EVERY, active=False)
        devices_panel(studio, slow)
        waiting = queue_panel.queue_panel(studio)
        finder = panel("runs-find")
        board_ = board.board("runs-keep", "runs-things")
        with gr.Column(elem_id="runs-things"):
            listed, deleted = panel("runs-list"), panel("runs-deleted")
    with gr.Column(visible=False, elem_id="run") as one:
        run = run_watch.run_parts(studio)
    comparison_page.build(studio)
    sweep_page.build(studio)
    handover_page.build(studio)
    parts = {
        **run, "overview": overview, "one": one, "listed": listed, "deleted": deleted, "finder": finder,
        "board": board_, "slow": slow,
    }  # fmt: skip
    queue_parts = {"waiting": waiting, "shown": gr.State("")}
    page = RunsPage(studio, {**parts, **queue_parts})
    on_open(page.opened, list(parts.values()))
    on_open(page.waiting, list(queue_parts.values()), [queue_parts["shown"]])
    slow.tick(page.listed, outputs=[listed], **LIGHT)
    board.listen(studio, RUNS, board_, page.tidied, [listed, deleted])
    slow.tick(page.waiting, inputs=[queue_parts["shown"]], outputs=list(queue_parts.values()), **LIGHT)
    page.run.listen()


class RunsPage(Handlers):
    """The list, and which section the page's address shows in its place."""

    def __init__(self, studio: Studio, parts: Mapping[str, Any]) -> None:
        super().__init__(studio, parts)
        self.run = RunWatch(studio, parts)

    @safely
    def opened(self, request: gr.Request) -> Updates:
        asked = str(request.query_params.get("run", ""))
        language = language_of(request)
        if _elsewhere(request):
            return self._updates(overview=gr.update(visible=False))
        if not asked:
            return self._overview(request)
        try:
            job = run_watch.job_of(self.studio, asked)
        except StudioError as error:
            return self._overview(request, notice("warn", error.sentence(language)))
        hidden = self._updates(overview=gr.update(visible=False), listed="", slow=gr.Timer(active=False))
        return {**hidden, **self.run.opening(job, language)}

    def _overview(self, request: gr.Request, told: Markup | str = "") -> Updates:
        """The list of runs in place of one run."""
        query, show, kind, columns = self._asked(request)
        listed = html("{}{}", told, self.list_of(request))
        finder = run_list.jobs_bar(query, show, kind, columns, language_of(request))
        return self._updates(
            overview=gr.update(visible=True),
            one=gr.update(visible=False),
            listed=listed,
            finder=finder,
            deleted=trash.listed(self.studio, language_of(request), RUNS.name),
            board=board.toolbar(RUNS, language_of(request)),
            slow=gr.Timer(active=True),
            key="",
            fast=gr.Timer(active=False),
        )

    @safely
    def listed(self, request: gr.Request) -> Markup:
        return self.list_of(request)

    @safely
    def waiting(self, request: gr.Request, before: str) -> Any:
        """The queue, or nothing when it would be the same: a new drawing would take the focus away."""
        if request.query_params.get("run") or _elsewhere(request):
            return gr.skip()
        now = str(queue_panel.drawn(self.studio, language_of(request)))
        return gr.skip() if now == before else self._updates(waiting=now, shown=now)

    def list_of(self, request: gr.Request) -> Markup:
        """One page of the list: ``/runs?kind=data&show=failed&q=tag:good&sort=-loss&page=2``."""
        query, show, kind, columns = self._asked(request)
        return run_list.jobs_page(self.studio, language_of(request), show, query, kind, columns)

    def tidied(self, request: gr.Request) -> Updates:
        """What the list and the trash below it show once something was done with runs."""
        deleted = trash.listed(self.studio, language_of(request), RUNS.name)
        return self._updates(listed=self.list_of(request), deleted=deleted)

    def _asked(self, request: gr.Request) -> tuple[Query, str, str, list[str]]:
        """What the address of the list says: the query, states, kind, columns."""
        asked = {name: str(value) for name, value in dict(request.query_params).items()}
        kind = asked.get("kind", "")
        columns = run_list.COLUMNS.asked(asked.get("columns", ""))
        return (
            Query.read(asked, run_list.PAGE),
            asked.get("show", ""),
            kind if kind in LISTED else LISTED[0],
            columns,
        )
