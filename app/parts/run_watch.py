"""One run's own page: it is looked at again and again while the run goes on, and its buttons act on it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, t
from app.parts import (
    data_job_view,
    export_view,
    merge_view,
    push_view,
    rollouts_view,
    run_view,
    share_panel,
    trackers_view,
)
from app.parts.evaluation import run_page
from app.parts.events import ASKED, GO, LIGHT
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import panel
from app.parts.keeping import board, marks_view
from app.parts.live_chart import live_chart, payload
from studio_core import training
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.states import TERMINAL, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.handover import taking
from studio_core.keeping import marks
from studio_core.keeping.runs import RUNS
from studio_core.labeling import rounds, trained
from studio_core.runs import kinds, metrics, queue, run_folder
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.kinds import kind_of
from studio_core.runs.outline import Outline, lines_of
from studio_core.trackers import follower

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
_BUTTONS = ("links", "stop", "cancel", "resume")
_LIVE = ("state", "progress", "charts", "cursor", "fast", *_SECTIONS[:-1], *_BUTTONS)
"""Parts that a look at the run may change."""


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


def run_parts(studio: Studio) -> dict[str, Any]:
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
    parts["key"], parts["cursor"] = gr.State(""), gr.Textbox(visible=False)
    parts["fast"] = gr.Timer(RUN_EVERY, active=False)
    return parts


def job_of(studio: Studio, asked: str) -> Job:
    """The job that an address asks for, if it has a page here; raises ``NotFound``."""
    if not _whole(asked):
        raise NotFound("job_not_found", job=asked[:40])
    job = queue.get(studio, int(asked))
    if job.kind not in VIEWS:
        raise NotFound("job_not_found", job=asked)
    return job


class RunWatch(Handlers):
    """What the page of one run does on a tick, and on its buttons."""

    def listen(self) -> None:
        parts, address = self.parts, gr.Textbox(visible=False)
        live = [parts[name] for name in _LIVE]
        cursor, key = parts["cursor"], parts["key"]
        parts["fast"].tick(self.watched, inputs=[cursor], outputs=live, **LIGHT)
        for button, handler in (("stop", self.stopped), ("cancel", self.cancelled)):
            parts[button].click(handler, inputs=[cursor], outputs=live, trigger_mode="once", **ASKED)
        parts["trackers"].track(self.tracked, inputs=[cursor], outputs=live, trigger_mode="once", **ASKED)
        for event, fn, inputs in (
            (parts["resume"].click, self.resumed, [cursor, key]),
            (parts["checkpoints"].resume, self.resumed_from, [cursor, key]),
            (parts["links"].compare, self.compared, [cursor]),
        ):
            event(fn, inputs=inputs, outputs=[address], trigger_mode="once", **ASKED).then(
                None, js=GO, inputs=[address]
            )
        board.listen(self.studio, RUNS, parts["kept"], self.card_of, [parts["kept"]], bar=False)
        share_panel.SharePanel(self.studio, parts).listen()

    def opening(self, job: Job, language: str) -> Updates:
        """All of the page, as it is opened."""
        shown = self._updates(
            one=gr.update(visible=True),
            key=secrets.token_hex(8),
            kept=self._card(job, language),
            **share_panel.opening(self.studio, job, language),
        )
        return {**shown, **self._live(job, Cursor(run=job.id), language, reset=True)}

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

    def card_of(self, request: gr.Request) -> Updates:
        """The run's card drawn anew, once something was changed on it; nothing once it was deleted."""
        try:
            job = job_of(self.studio, str(request.query_params.get("run", "")))
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
