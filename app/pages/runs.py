"""Runs: the list of all trainings, and one run's own page while it goes on and afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import APIRouter
from markupsafe import Markup

from app.i18n import in_html, language_of, t
from app.parts import (
    comparison_page,
    data_job_view,
    export_view,
    handover_page,
    merge_view,
    push_view,
    queue_panel,
    rollouts_view,
    run_list,
    run_view,
    share_panel,
    sweep_page,
    trackers_view,
)
from app.parts.devices_panel import devices_panel
from app.parts.evaluation import run_page
from app.parts.events import ASKED, GO, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import heading, html, notice, panel
from app.parts.keeping import board, marks_view, trash
from app.parts.live_chart import live_chart, payload
from studio_core import training
from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.base.states import TERMINAL, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.handover import taking
from studio_core.keeping import marks
from studio_core.keeping.runs import RUNS
from studio_core.keeping.search import Query
from studio_core.labeling import rounds, trained
from studio_core.runs import kinds, metrics, queue, run_folder
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.kinds import LISTED, kind_of
from studio_core.runs.outline import Outline, lines_of
from studio_core.trackers import follower

NAME = "runs"
PATH = "/runs"

# States change in minutes; a run that is watched has its own page.
LIST_EVERY = 2.0
# About a step of the demo runs; a chart that moves more often is no easier to read.
RUN_EVERY = 1.0
ANEW = 1000
"""After so many reports a chart is drawn anew from the outline, so that an open page does not grow for ever."""

_COPY = """
element.addEventListener('click', async (event) => {
	const button = event.target.closest('[data-copy]');
	if (!button) return;
	const words = button.textContent;
	await navigator.clipboard.writeText(element.querySelector('#' + button.dataset.copy).textContent);
	button.textContent = button.dataset.done;
	setTimeout(() => { button.textContent = words; }, 1500);
});
"""


_RESUME = """
element.addEventListener('click', (event) => {
	const button = event.target.closest('[data-step]');
	if (button) trigger('resume', { step: Number(button.dataset.step) });
});
"""


_COMPARE = """
element.addEventListener('click', (event) => {
	const button = event.target.closest('[data-compare]');
	if (button) { button.disabled = true; trigger('compare', {}); }
});
"""


@dataclass
class Cursor:
    """What a page that watches a run has got already. The browser keeps it, so that it outlives a restart."""

    run: int = 0
    seq: int = 0
    seen: list[str] = field(default_factory=lambda: [""] * len(_SECTIONS))

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        parts = (text or "").split("|")
        if len(parts) != 2 + len(_SECTIONS) or not (_whole(parts[0]) and _whole(parts[1])):
            return cls()
        return cls(int(parts[0]), int(parts[1]), parts[2:])

    def __str__(self) -> str:
        return "|".join([str(self.run), str(self.seq), *self.seen])


_SECTIONS = ("samples", "checkpoints", "log", "config", "events", "trackers", "buttons")


VIEWS: dict[str, Any] = {
    "train": run_view,
    "data": data_job_view,
    "merge": merge_view,
    "evaluate": run_page,
    "export": export_view,
    "push": push_view,
}
"""How a run looks on its own page, by the kind of job."""


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


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
        run = _run_parts(studio)
    comparison_page.build(studio)
    sweep_page.build(studio)
    handover_page.build(studio)
    parts = {
        **run, "overview": overview, "one": one, "listed": listed, "deleted": deleted, "finder": finder,
        "board": board_, "slow": slow, "key": gr.State(""),
        "cursor": gr.Textbox(visible=False), "fast": gr.Timer(RUN_EVERY, active=False),
    }  # fmt: skip
    queue_parts = {"waiting": waiting, "shown": gr.State("")}
    page = RunsPage(studio, {**parts, **queue_parts})
    on_open(page.opened, list(parts.values()))
    on_open(page.waiting, list(queue_parts.values()), [queue_parts["shown"]])
    slow.tick(page.listed, outputs=[listed], **LIGHT)
    board.listen(studio, RUNS, board_, page.tidied, [listed, deleted])
    board.listen(studio, RUNS, run["kept"], page.card_of, [run["kept"]], bar=False)
    slow.tick(page.waiting, inputs=[queue_parts["shown"]], outputs=list(queue_parts.values()), **LIGHT)
    share_panel.SharePanel(studio, run).listen()
    _following(page, [*run.values(), parts["cursor"], parts["fast"]])


def _run_parts(studio: Studio) -> dict[str, Any]:
    """What one run's page is made of, in the order in which it stands there."""
    parts: dict[str, Any] = {"state": panel("run-state"), "progress": panel("run-progress")}
    with gr.Row(elem_classes="ts-run-actions"):
        for name, variant in (("stop", "secondary"), ("cancel", "stop"), ("resume", "primary")):
            parts[name] = gr.Button(
                t(f"runs.{name}"), elem_id=f"run-{name}", variant=variant, min_width=120, visible=False
            )
        parts["links"] = panel("run-links", js_on_load=_COMPARE)
    parts["kept"] = board.board("run-keep", "run-keep")
    parts |= share_panel.share_parts()
    parts["charts"] = live_chart("run-charts")
    parts["samples"] = panel("run-samples")
    rollouts_view.build(studio)
    with gr.Row(elem_classes="ts-run-more"):
        with gr.Column(min_width=340):
            parts["log"] = panel("run-log")
            parts["events"] = panel("run-events")
            parts["trackers"] = panel("run-trackers", js_on_load=trackers_view.ON_CLICK)
        with gr.Column(min_width=340):
            parts["config"] = panel("run-config", js_on_load=_COPY)
            parts["checkpoints"] = panel("run-checkpoints", js_on_load=_RESUME)
    return parts


def _following(page: RunsPage, live: list[Any]) -> None:
    """Events of one run's page: it is looked at again and again, and its buttons act on it."""
    parts, address = page.parts, gr.Textbox(visible=False)
    cursor, key = parts["cursor"], parts["key"]
    parts["fast"].tick(page.watched, inputs=[cursor], outputs=live, **LIGHT)
    for button, handler in (("stop", page.stopped), ("cancel", page.cancelled)):
        parts[button].click(handler, inputs=[cursor], outputs=live, trigger_mode="once", **ASKED)
    parts["trackers"].track(page.tracked, inputs=[cursor], outputs=live, trigger_mode="once", **ASKED)
    for event, fn, inputs in (
        (parts["resume"].click, page.resumed, [cursor, key]),
        (parts["checkpoints"].resume, page.resumed_from, [cursor, key]),
        (parts["links"].compare, page.compared, [cursor]),
    ):
        event(fn, inputs=inputs, outputs=[address], trigger_mode="once", **ASKED).then(
            None, js=GO, inputs=[address]
        )


class RunsPage(Handlers):
    """What the page does on load, on a tick, and on its buttons."""

    @safely
    def opened(self, request: gr.Request) -> Updates:
        asked = str(request.query_params.get("run", ""))
        language = language_of(request)
        if _elsewhere(request):
            return self._updates(overview=gr.update(visible=False))
        if not asked:
            return self._overview(request)
        try:
            job = self._job(asked)
        except StudioError as error:
            return self._overview(request, notice("warn", error.sentence(language)))
        shown = self._updates(
            overview=gr.update(visible=False),
            one=gr.update(visible=True),
            listed="",
            slow=gr.Timer(active=False),
            key=secrets.token_hex(8),
            kept=self._card(job, language),
            **share_panel.opening(self.studio, job, language),
        )
        return {**shown, **self._live(job, Cursor(run=job.id), language, reset=True)}

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

    @safely
    def watched(self, request: gr.Request, cursor: str) -> Any:
        known = Cursor.read(cursor)
        if not known.run:
            return gr.skip()
        job = queue.get(self.studio, known.run)
        # Which charts a run of another trainer's has is known once all its metrics are here.
        anew = job.state in TERMINAL and taking.elsewhere(job) is not None
        return self._live(job, known, language_of(request), reset=anew)

    @safely
    def stopped(self, request: gr.Request, cursor: str) -> Updates:
        return self._stop(request, cursor, Stop.SAVE)

    @safely
    def cancelled(self, request: gr.Request, cursor: str) -> Updates:
        return self._stop(request, cursor, Stop.CANCEL)

    @safely
    def resumed(self, request: gr.Request, cursor: str, key: str) -> str:
        """Queue the continuation; the page then goes to it."""
        ended = queue.get(self.studio, Cursor.read(cursor).run)
        job = kinds.call(kind_of(ended.kind).resume, self.studio, ended.id, key=key or request.session_hash)
        ensure_engine(self.studio)
        return f"/runs?run={job.id}"

    @safely
    def resumed_from(self, request: gr.Request, event: gr.EventData, cursor: str, key: str) -> str:
        """As ``resumed``, from one checkpoint."""
        asked = event._data if isinstance(event._data, dict) else {}
        step = asked.get("step")
        if not isinstance(step, int):
            raise BadInput("runs.unknown_action", action=str(step)[:40])
        run = Cursor.read(cursor).run
        job = training.resume(self.studio, run, key=f"{key or request.session_hash}-{step}", step=step)
        ensure_engine(self.studio)
        return f"/runs?run={job.id}"

    @safely
    def compared(self, request: gr.Request, cursor: str) -> str:
        """Start the blind comparison of the model before and the one after; the page then goes to its pairs."""
        job = queue.get(self.studio, Cursor.read(cursor).run)
        project = trained.project_of(self.studio, job)
        if project is None:
            raise BadInput("labeling.round_not_votes", run=job.id)
        round, _ = rounds.compare(self.studio, project.id, job)
        ensure_engine(self.studio)
        return f"/label?project={round.id}"

    @safely
    def tracked(self, request: gr.Request, event: gr.EventData, cursor: str) -> Updates:
        """Log the run to a tracker, or what is missing there."""
        asked = event._data if isinstance(event._data, dict) else {}
        known = Cursor.read(cursor)
        follower.send(self.studio, known.run, str(asked.get("tracker"))[:40])
        return self._live(queue.get(self.studio, known.run), known, language_of(request))

    def _stop(self, request: gr.Request, cursor: str, stop: Stop) -> Updates:
        known = Cursor.read(cursor)
        job = queue.request_stop(self.studio, known.run, stop)
        return self._live(job, known, language_of(request))

    def _job(self, asked: str) -> Job:
        if not _whole(asked):
            raise NotFound("job_not_found", job=asked[:40])
        job = queue.get(self.studio, int(asked))
        if job.kind not in VIEWS:
            raise NotFound("job_not_found", job=asked)
        return job

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

    def card_of(self, request: gr.Request) -> Updates:
        """The run's card drawn anew, once something was changed on it; nothing once it was deleted."""
        try:
            job = self._job(str(request.query_params.get("run", "")))
        except NotFound:
            return self._updates(kept="")
        return self._updates(kept=self._card(job, language_of(request)))

    def _card(self, job: Job, language: str) -> Markup:
        mark = marks.of(self.studio, RUNS, [job.id]).get(job.id)
        return marks_view.card(RUNS, job, mark, job.name, "/runs", language)

    def _live(self, job: Job, known: Cursor, language: str, *, reset: bool = False) -> Updates:
        """Every part of the run's page that has changed."""
        view = VIEWS[job.kind]
        outline = self._reported(job, known, reset)
        marks = dict(zip(_SECTIONS, self._marks(job), strict=True))
        before = dict(zip(_SECTIONS, known.seen, strict=True))
        over = job.state in TERMINAL
        following = Cursor(job.id, max(known.seq, outline.seq), list(marks.values()))
        updates = self._updates(
            state=view.header(self.studio, job, language),
            progress=view.progress(self.studio, job, language),
            cursor=str(following),
            # Once it is over and logged nothing changes any more, and nobody needs to ask.
            fast=gr.Timer(active=not over or trackers_view.is_sending(job)),
        )
        if reset or outline.lines:
            anew = outline.seq // ANEW > known.seq // ANEW
            chart = payload(view.charts(job), outline.lines, language, reset=reset, anew=anew, ended=over)
            updates |= self._updates(charts=chart)
        for section in (name for name in _SECTIONS if marks[name] != before[name]):
            updates |= self._updates(**self._section(section, job, language))
        return updates

    def _section(self, name: str, job: Job, language: str) -> dict[str, Any]:
        """What one section of the run's page shows now, by the names of its parts."""
        view = VIEWS[job.kind]
        match name:
            case "samples":
                return {"samples": view.answers(self.studio, job, language)}
            case "checkpoints":
                return {"checkpoints": view.checkpoints(job, language)}
            case "log":
                return {"log": run_view.log(job, language)}
            case "config":
                return {"config": view.configuration(job, language)}
            case "events":
                return {"events": run_view.events(queue.events(self.studio, job.id), language)}
            case "trackers":
                return {"trackers": trackers_view.drawn(self.studio, job, language)}
            case _:
                return {
                    "links": view.links(self.studio, job, language),
                    "stop": gr.update(visible=view.savable(job)),
                    "cancel": gr.update(visible=run_view.stoppable(job)),
                    "resume": gr.update(visible=view.resumable(job)),
                }

    def _reported(self, job: Job, known: Cursor, reset: bool) -> Outline:
        """What the chart needs: the reports since the last look, or all of them condensed."""
        if not reset:
            points = metrics.points(self.studio, job.id, known.seq, limit=ANEW)
            newest = points[-1].seq if points else known.seq
            if newest // ANEW == known.seq // ANEW:
                return Outline(lines_of(points), newest)
        return training.outlined(self.studio, job)

    def _marks(self, job: Job) -> Sequence[str]:
        """One short mark for each section; a section is drawn again when its mark has changed."""
        run_dir, view = Path(job.run_dir or ""), VIEWS[job.kind]
        log = run_dir / run_folder.LOG
        written = log.stat().st_size if log.is_file() else 0
        saved = metrics.count_notes(self.studio, job.id, "checkpoint")
        answered = metrics.count_notes(self.studio, job.id, "sample")
        over = int(job.state in TERMINAL)
        return (
            f"{answered}.{over}",
            f"{saved}.{over}",
            str(written),
            str(len(job.resolved)),
            job.state,
            trackers_view.mark(job),
            f"{job.state}.{job.stop_request}.{view.result_mark(self.studio, job)}",
        )
