"""Evaluate: models against suites, and one evaluation with its report and its items."""

from __future__ import annotations

from typing import Any

import gradio as gr
from fastapi import APIRouter

from app.i18n import language_of
from app.parts.evaluation import board, files, form, items_panel, report_panel, suites_panel, training_data
from app.parts.evaluation.asked import asked_job
from app.parts.events import LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import heading, notice, panel
from studio_core.base.errors import StudioError
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import queue

NAME = "evaluate"
PATH = "/evaluate"

# A suite of the demo models takes about as long.
EVERY = 1.5


def routes(studio: Studio) -> APIRouter:
    return files.routes(studio)


def build(studio: Studio) -> None:
    with gr.Column(elem_id="evaluate-overview") as overview:
        heading("evaluation.page_title", "evaluation.page_lead", level=1)
        told = panel("evaluate-problem")
        form.build(studio)
        suites_panel.build(studio)
        board_, jobs = panel("evaluate-board"), panel("evaluate-jobs")
    with gr.Column(visible=False, elem_id="evaluation") as one:
        head = panel("evaluation-head")
        report = panel("evaluation-report", js_on_load=report_panel.SCRIPT)
        training_data.build(studio)
        seen = gr.Textbox(visible=False)
        items_panel.build(studio, seen)
    timer = gr.Timer(EVERY, active=False)
    parts = {
        "overview": overview, "told": told, "board": board_, "jobs": jobs, "one": one,
        "head": head, "report": report, "seen": seen, "timer": timer,
    }  # fmt: skip
    page = EvaluatePage(studio, parts)
    on_open(page.open, list(parts.values()))
    shown = [board_, jobs, head, report, seen, timer]
    timer.tick(safely(page.look), [seen], shown, **LIGHT)


class EvaluatePage(Handlers):
    """What the page does when it is opened and while something goes on."""

    def open(self, request: gr.Request) -> Updates:
        """``/evaluate?job=N`` shows that evaluation."""
        try:
            job = asked_job(self.studio, request)
        except StudioError as error:
            # Said on the page: what opens it shows no notices of its own, and an old link is easily wrong.
            sentence = notice("bad", error.sentence(language_of(request)))
            return {**self._overview(request), self.parts["told"]: sentence}
        if job is None:
            return self._overview(request)
        visible = self._updates(overview=gr.Column(visible=False), one=gr.Column(visible=True))
        return {**visible, **self._one(job, language_of(request))}

    def look(self, request: gr.Request, seen: Any) -> Any:
        try:
            job = asked_job(self.studio, request)
        except StudioError as error:
            # Gone meanwhile, or an old address: where it stood it is said, once; what else goes on is still shown.
            sentence = notice("bad", error.sentence(language_of(request)))
            return {**self._overview(request), **self._updates(head=sentence)}
        if job is None:
            return self._overview(request)
        mark = report_panel.mark(self.studio, job)
        if mark == seen and job.state not in TERMINAL:
            return self._updates(head=report_panel.head(self.studio, job, language_of(request)))
        return self._one(job, language_of(request))

    def _overview(self, request: gr.Request) -> Updates:
        language = language_of(request)
        listed = queue.all_jobs(self.studio, kind="evaluate", limit=board.LISTED)
        return self._updates(
            board=board.board(self.studio, language),
            jobs=board.jobs(self.studio, language),
            timer=gr.Timer(active=any(job.state not in TERMINAL for job in listed)),
        )

    def _one(self, job: Job, language: str) -> Updates:
        return self._updates(
            head=report_panel.head(self.studio, job, language),
            report=report_panel.report(self.studio, job, language),
            seen=report_panel.mark(self.studio, job),
            timer=gr.Timer(active=job.state not in TERMINAL),
        )
