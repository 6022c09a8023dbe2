"""Above a project: how far the job is that writes its answers, and what became of the prompts."""

from __future__ import annotations

import gradio as gr
from markupsafe import Markup

from app.access import STAFF, current_user, only
from app.i18n import language_of, say, t
from app.parts import run_words
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import Updates, safely
from app.parts.html import badge, html, join, number, panel, table
from app.parts.labeling import opened, rounds, rounds_view
from studio_core.base.errors import NotFound
from studio_core.base.states import TERMINAL, State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, LabelProject
from studio_core.curation import making as data_jobs
from studio_core.labeling import making, projects
from studio_core.labeling.writing import ANSWERS
from studio_core.runs import queue
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.reasons import ending, waiting_reason

AGAIN = 1.5
"""Seconds between two looks while answers are written."""
_COUNTS = ("added", "identical", "empty", "same_score", "unscored", "failed", "known", "held_out")
_LEFT_OUT = _COUNTS[1:]


def build(studio: Studio) -> None:
    with gr.Row(elem_id="label-making-row"):
        shown = panel("label-making", js_on_load=rounds_view.MORE)
        stop = gr.Button(
            t("labeling.making_stop"),
            visible=False,
            size="sm",
            elem_id="label-making-stop",
            scale=0,
            min_width=130,
        )
        go_on = gr.Button(
            t("labeling.making_go_on"),
            visible=False,
            size="sm",
            elem_id="label-making-go-on",
            scale=0,
            min_width=130,
        )
    timer, address = gr.Timer(AGAIN, active=False), gr.Textbox(visible=False)

    def making_progress(request: gr.Request) -> Updates:
        try:
            project = opened(studio, request)
        except NotFound:  # The page itself says so.
            hidden = gr.Button(visible=False)
            return {shown: Markup(), stop: hidden, go_on: hidden, timer: gr.Timer(active=False)}
        job, staff = making.job_of(studio, project), current_user(request).role in STAFF
        live = job is not None and job.state not in TERMINAL
        # A job that was stopped and saved has succeeded, too, but with a cause: it goes on from there.
        resumable = job is not None and not live and not (job.state == State.SUCCEEDED and job.cause is None)
        return {
            shown: view(studio, project, job, language_of(request), staff),
            stop: gr.Button(visible=staff and live),
            go_on: gr.Button(visible=staff and resumable),
            timer: gr.Timer(active=live),
        }

    @only(STAFF)
    def making_stopped(request: gr.Request) -> Updates:
        if job := making.job_of(studio, opened(studio, request)):
            queue.request_stop(studio, job.id, Stop.SAVE)
        return making_progress(request)

    @only(STAFF)
    def making_resumed(request: gr.Request) -> Updates:
        if job := making.job_of(studio, opened(studio, request)):
            data_jobs.resume(studio, job.id)
            ensure_engine(studio)
        return making_progress(request)

    everything = [shown, stop, go_on, timer]
    on_open(making_progress, everything)
    timer.tick(safely(making_progress), None, everything, **LIGHT)
    stop.click(safely(making_stopped), None, everything, trigger_mode="once", **ASKED)
    go_on.click(safely(making_resumed), None, everything, trigger_mode="once", **ASKED)
    rounds.more_of(studio, shown, address)


def view(studio: Studio, project: LabelProject, job: Job | None, language: str, staff: bool) -> Markup:
    """Nothing for a project whose answers were there; annotators see only that more are coming."""
    if job is None:
        return Markup()
    live = job.state not in TERMINAL
    if not staff:
        coming = html('<p class="ts-muted">{}</p>', say("labeling.making_coming", language))
        return coming if live else Markup()
    link = html('<a href="/runs?run={}">{}</a>', job.id, say("labeling.making_link", language, job=job.id))
    reason = waiting_reason(studio, job, language) or ending(job, language)
    more = _left_out(project, language)
    if reason:
        more.insert(0, html("{}", reason))
    bar = html('<div class="ts-label-making-bar">{}</div>', run_words.bar(job, language))
    if not (live and job.total_steps):
        bar = Markup()
    alike = rounds_view.alike(studio, project, language) if project.round and not live else Markup()
    return html(
        '<div class="ts-label-making" data-state="{}" data-items="{}"><p>{} {} '
        '<span class="ts-muted">{}</span></p>{}{}</div>',
        job.state,
        project.counts.get("added", 0),
        Markup() if job.state == State.SUCCEEDED else badge(job.state, language),
        _there(project, live, language),
        join([*more, link], " · "),
        bar,
        alike,
    )


def _there(project: LabelProject, live: bool, language: str) -> str:
    count = project.counts.get("added", 0)
    key = "made" if not live else "first" if not count else "so_far"
    kind = "pairs" if project.mode == "pairs" else "items"
    return say(
        f"labeling.making_{key}", language, made=number(count), kind=say(f"labeling.making_{kind}", language)
    )


def _left_out(project: LabelProject, language: str) -> list[Markup]:
    return [
        html("{}", say(f"labeling.making_count_{name}", language, count=number(count)))
        for name in _LEFT_OUT
        if (count := project.counts.get(name, 0))
    ]


def counted(studio: Studio, project: int, job: Job, language: str) -> Markup:
    """For the page of the job: what became of the prompts of its project."""
    return became(projects.get(studio, project), language) if job.method == ANSWERS else Markup()


def became(project: LabelProject, language: str) -> Markup:
    rows = [
        [say(f"labeling.making_became_{name}", language), number(project.counts[name])]
        for name in _COUNTS
        if project.counts.get(name)
    ]
    if not rows:
        return Markup()
    heads = [say("labeling.making_prompts", language), say("labeling.making_number", language)]
    return html("<h2>{}</h2>{}", say("labeling.making_came_of", language), table(heads, rows))
