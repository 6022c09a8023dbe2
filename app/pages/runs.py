"""Runs: the list of all trainings, and one run's own page while it goes on and afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, t
from app.parts import data_job_view, queue_panel, run_list, run_view
from app.parts.devices_panel import devices_panel
from app.parts.events import ASKED, GO, LIGHT, on_open
from app.parts.handlers import safely
from app.parts.html import heading, html, notice
from app.parts.live_chart import live_chart, payload
from studio_core import training
from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.base.states import TERMINAL, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.labeling import rounds, trained
from studio_core.runs import kinds, metrics, queue, run_folder
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.kinds import LISTED, kind_of
from studio_core.runs.outline import Outline, lines_of

NAME = "runs"
PATH = "/runs"

LIST_EVERY = 2.0
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


_SECTIONS = ("samples", "checkpoints", "log", "config", "events", "buttons")


VIEWS: dict[str, Any] = {"train": run_view, "data": data_job_view}
"""How a run looks on its own page, by the kind of job."""


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def build(studio: Studio) -> None:
    page = RunsPage(studio)
    with gr.Column(elem_id="runs-overview") as overview:
        heading("runs.title", level=1)
        slow = gr.Timer(LIST_EVERY, active=False)
        devices_panel(studio, slow)
        waiting = queue_panel.queue_panel(studio)
        listed = gr.HTML(apply_default_css=False, elem_id="runs-list")
    with gr.Column(visible=False, elem_id="run") as one:
        state = gr.HTML(apply_default_css=False, elem_id="run-state")
        progress = gr.HTML(apply_default_css=False, elem_id="run-progress")
        with gr.Row(elem_classes="ts-run-actions"):
            stop = gr.Button(t("runs.stop"), elem_id="run-stop", min_width=120, visible=False)
            cancel = gr.Button(
                t("runs.cancel"), elem_id="run-cancel", variant="stop", min_width=120, visible=False
            )
            resume = gr.Button(
                t("runs.resume"), elem_id="run-resume", variant="primary", min_width=120, visible=False
            )
            links = gr.HTML(apply_default_css=False, elem_id="run-links", js_on_load=_COMPARE)
        charts = live_chart("run-charts")
        samples = gr.HTML(apply_default_css=False, elem_id="run-samples")
        with gr.Row(elem_classes="ts-run-more"):
            with gr.Column(min_width=340):
                log = gr.HTML(apply_default_css=False, elem_id="run-log")
                events = gr.HTML(apply_default_css=False, elem_id="run-events")
            with gr.Column(min_width=340):
                config = gr.HTML(apply_default_css=False, elem_id="run-config", js_on_load=_COPY)
                kept = gr.HTML(apply_default_css=False, elem_id="run-checkpoints", js_on_load=_RESUME)
    cursor, following = gr.Textbox(visible=False), gr.Textbox(visible=False)
    key, shown = gr.State(""), gr.State("")
    fast = gr.Timer(RUN_EVERY, active=False)

    live = [
        state,
        progress,
        charts,
        samples,
        kept,
        log,
        config,
        events,
        links,
        stop,
        cancel,
        resume,
        cursor,
        fast,
    ]
    on_open(page.opened, [overview, one, listed, slow, key, *live])
    on_open(page.waiting, [waiting, shown], [shown])
    slow.tick(page.listed, outputs=[listed], **LIGHT)
    slow.tick(page.waiting, inputs=[shown], outputs=[waiting, shown], **LIGHT)
    fast.tick(page.watched, inputs=[cursor], outputs=live, **LIGHT)
    for button, handler in ((stop, page.stopped), (cancel, page.cancelled)):
        button.click(handler, inputs=[cursor], outputs=live, trigger_mode="once", **ASKED)
    resume.click(
        page.resumed,
        inputs=[cursor, key],
        outputs=[following],
        trigger_mode="once",
        **ASKED,
    ).then(None, js=GO, inputs=[following])
    kept.resume(
        page.resumed_from,
        inputs=[cursor, key],
        outputs=[following],
        trigger_mode="once",
        **ASKED,
    ).then(None, js=GO, inputs=[following])
    links.compare(page.compared, inputs=[cursor], outputs=[following], trigger_mode="once", **ASKED).then(
        None, js=GO, inputs=[following]
    )


class RunsPage:
    """What the page does on load, on a tick, and on its buttons."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    @safely
    def opened(self, request: gr.Request) -> list[Any]:
        asked = str(request.query_params.get("run", ""))
        language = language_of(request)
        nothing = [gr.skip()] * 13 + [gr.Timer(active=False)]
        if not asked:
            return [*self._shown(False), self._list(request), gr.Timer(active=True), "", *nothing]
        try:
            job = self._job(asked)
        except StudioError as error:
            page = html("{}{}", notice("warn", error.sentence(language)), self._list(request))
            return [*self._shown(False), page, gr.Timer(active=True), "", *nothing]
        live = self._live(job, Cursor(run=job.id), language, reset=True)
        return [*self._shown(True), "", gr.Timer(active=False), secrets.token_hex(8), *live]

    @safely
    def listed(self, request: gr.Request) -> Markup:
        return self._list(request)

    @safely
    def waiting(self, request: gr.Request, before: str) -> tuple[Any, Any]:
        """The queue, or nothing when it would be the same: a new drawing would take the focus away."""
        if request.query_params.get("run"):
            return gr.skip(), gr.skip()
        now = str(queue_panel.drawn(self.studio, language_of(request)))
        return (gr.skip(), gr.skip()) if now == before else (now, now)

    @safely
    def watched(self, request: gr.Request, cursor: str) -> list[Any]:
        known = Cursor.read(cursor)
        if not known.run:
            return [gr.skip()] * 14
        return self._live(queue.get(self.studio, known.run), known, language_of(request))

    @safely
    def stopped(self, request: gr.Request, cursor: str) -> list[Any]:
        return self._stop(request, cursor, Stop.SAVE)

    @safely
    def cancelled(self, request: gr.Request, cursor: str) -> list[Any]:
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
        one, _ = rounds.compare(self.studio, project.id, job)
        ensure_engine(self.studio)
        return f"/label?project={one.id}"

    def _stop(self, request: gr.Request, cursor: str, stop: Stop) -> list[Any]:
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

    def _shown(self, run: bool) -> list[Any]:
        return [gr.update(visible=not run), gr.update(visible=run)]

    def _list(self, request: gr.Request) -> Markup:
        """One page of the list: ``/runs?kind=data&show=failed&before=12``."""
        language, show = language_of(request), str(request.query_params.get("show", ""))
        asked = str(request.query_params.get("kind", ""))
        kind = asked if asked in LISTED else LISTED[0]
        before = str(request.query_params.get("before", ""))
        return run_list.jobs_page(self.studio, language, show, int(before) if _whole(before) else None, kind)

    def _live(self, job: Job, known: Cursor, language: str, *, reset: bool = False) -> list[Any]:
        """Every part of the run's page, those that have not changed left as they are."""
        view = VIEWS[job.kind]
        drawn = self._reported(job, known, reset)
        fresh = dict(zip(_SECTIONS, self._marks(job), strict=True))
        old = dict(zip(_SECTIONS, known.seen, strict=True))
        changed = {name for name in _SECTIONS if fresh[name] != old[name]}
        over = job.state in TERMINAL
        chart: Any = gr.skip()
        if reset or drawn.lines:
            anew = drawn.seq // ANEW > known.seq // ANEW
            chart = payload(view.charts(job), drawn.lines, language, reset=reset, anew=anew, ended=over)

        def part(name: str, draw: Any, *given: Any) -> Any:
            return draw(*given, language) if name in changed else gr.skip()

        following = Cursor(job.id, max(known.seq, drawn.seq), [fresh[name] for name in _SECTIONS])
        buttons = "buttons" in changed
        return [
            view.header(self.studio, job, language),
            view.progress(self.studio, job, language),
            chart,
            part("samples", view.answers, self.studio, job),
            part("checkpoints", view.checkpoints, job),
            part("log", run_view.log, job),
            part("config", view.configuration, job),
            part("events", run_view.events, queue.events(self.studio, job.id)),
            part("buttons", view.links, self.studio, job),
            gr.update(visible=view.savable(job)) if buttons else gr.skip(),
            gr.update(visible=run_view.stoppable(job)) if buttons else gr.skip(),
            gr.update(visible=view.resumable(job)) if buttons else gr.skip(),
            str(following),
            gr.Timer(active=not over),
        ]

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
            f"{job.state}.{job.stop_request}.{view.result_mark(self.studio, job)}",
        )
