"""Report: what is good in a version, what to look at, and what to do about it. Made by a job, once, and stored."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts import preview_form, report_charts, report_view
from app.parts.dataset import opened
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import safely
from app.parts.html import empty, html, notice, number, panel
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.curation import making
from studio_core.methods.common import TrainingOptions
from studio_core.reports import judging
from studio_core.reports.document import Report
from studio_core.runs import queue
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.reasons import ending

NAME = "report"

PAGE = 20
"""Rows of a finding on one page."""
LIMIT = int(TrainingOptions.model_fields["max_length"].default)
"""Tokens at which a training cuts unless it is told otherwise."""

_MAKE = """
element.addEventListener('click', (event) => {
	if (event.target.closest('[data-make]')) trigger('make', {});
});
"""


def build(studio: Studio, tab: gr.Tab) -> None:
    section = Section(studio)
    with gr.Row(elem_id="report-asking", equal_height=False):
        model = gr.Dropdown(
            [],
            label=t("reports.tokenizer"),
            info=t("reports.tokenizer_help"),
            elem_id="report-model",
            scale=2,
        )
        limit = gr.Number(
            LIMIT,
            label=t("reports.limit"),
            info=t("reports.limit_help"),
            precision=0,
            minimum=0,
            elem_id="report-limit",
            min_width=160,
        )
        make = gr.Button(t("reports.make"), elem_id="report-make", scale=0, min_width=160)
    status = panel("report-status")
    summary = panel("report-summary")
    charts = report_charts.report_charts("report-charts")
    details = panel("report-details", js_on_load=_MAKE)
    with gr.Column(visible=False, elem_id="report-rows-card") as card:
        gr.HTML('<div id="report-rows-head"></div>', apply_default_css=False)
        finding = gr.Dropdown([], label=t("reports.rows_of"), elem_id="report-finding")
        with gr.Row(elem_id="report-turning"):
            position = panel("report-position")
            back = gr.Button(t("data.previous"), elem_id="report-previous", scale=0, min_width=140)
            forward = gr.Button(t("data.next"), elem_id="report-next", scale=0, min_width=140)
        rows = panel("report-rows")
    job, offset, timer = gr.State(0), gr.State(0), gr.Timer(1.0, active=False)

    turning = [position, rows, offset]
    shown = [status, summary, charts, details, card, finding, *turning]
    on_open(section.open, [*shown, model, limit, job, timer])
    tab.select(safely(section.selected), None, [status, job, timer], **LIGHT)
    for asked in (make.click, details.make):
        asked(safely(section.make), [model, limit], [status, job, timer], trigger_mode="once", **ASKED)
    timer.tick(safely(section.look), [job], [*shown, timer], **LIGHT)
    finding.input(safely(section.chosen), [finding], turning, **LIGHT)
    back.click(safely(section.back), [finding, offset], turning, **LIGHT)
    forward.click(safely(section.forward), [finding, offset], turning, **LIGHT)


class Section:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def open(self, request: gr.Request) -> tuple[Any, ...]:
        language = language_of(request)
        dataset = opened(self.studio, request)
        report = judging.stored_report(self.studio, dataset)
        model, choices = preview_form.models(self.studio, report.model if report else None)
        asked = str(request.query_params.get("tab", "")) == NAME
        if report is None and asked:
            status, job, timer = self._asked(dataset, model, LIMIT, language)
        else:
            status, job, timer = "", 0, gr.Timer(active=False)
        wanted = str(request.query_params.get("finding", ""))
        shown = self._shown(dataset, report, status, wanted, language)
        return *shown, choices, (report.limit if report else None) or LIMIT, job, timer

    def selected(self, request: gr.Request) -> tuple[Any, ...]:
        """The tab was opened: a version without a report gets one.

        It takes nothing of the form: the tab may be opened before the server knows what the form offers.
        """
        dataset = opened(self.studio, request)
        if judging.report_of(self.studio, dataset.id) is not None:
            return gr.skip(), gr.skip(), gr.skip()
        return self._asked(dataset, self._model(), LIMIT, language_of(request))

    def make(self, model: str | None, limit: Any, request: gr.Request) -> tuple[Any, ...]:
        """The report is asked for with this tokenizer and this limit."""
        return self._asked(opened(self.studio, request), model, limit, language_of(request))

    def look(self, job: int, request: gr.Request) -> tuple[Any, ...]:
        """How far the report is; once it is there it is shown."""
        language = language_of(request)
        going = queue.get(self.studio, int(job))
        if going.state not in TERMINAL:
            return self._progress(going, language), *[gr.skip()] * 8, gr.skip()
        dataset = opened(self.studio, request)
        status = "" if going.state == State.SUCCEEDED else notice("warn", ending(going, language))
        report = judging.stored_report(self.studio, dataset)
        return *self._shown(dataset, report, status, "", language), gr.Timer(active=False)

    def chosen(self, finding: str | None, request: gr.Request) -> tuple[Any, ...]:
        return self._rows(opened(self.studio, request), finding, 0, language_of(request))

    def back(self, finding: str | None, offset: int, request: gr.Request) -> tuple[Any, ...]:
        return self._rows(opened(self.studio, request), finding, int(offset) - PAGE, language_of(request))

    def forward(self, finding: str | None, offset: int, request: gr.Request) -> tuple[Any, ...]:
        return self._rows(opened(self.studio, request), finding, int(offset) + PAGE, language_of(request))

    def _model(self) -> str | None:
        return preview_form.models(self.studio, None)[0]

    def _asked(self, dataset: Dataset, model: str | None, limit: Any, language: str) -> tuple[Any, ...]:
        """Status, number of the job, and the timer that looks how it goes."""
        job = making.ask_report(self.studio, dataset, str(model or ""), max(0, int(limit or 0)))
        if job is None:
            return notice("info", say("reports.is_there", language)), 0, gr.Timer(active=False)
        ensure_engine(self.studio)
        return self._progress(job, language), job.id, gr.Timer(active=True)

    def _progress(self, job: Job, language: str) -> Markup:
        if job.state == State.QUEUED or not job.total_steps:
            sentence = say("reports.begins", language)
        else:
            sentence = say("reports.going", language, done=number(job.step), rows=number(job.total_steps))
        link = html('<a href="/runs?run={}">{}</a>', job.id, say("reports.to_job", language))
        return notice("info", html("{} {}", sentence, link))

    def _shown(
        self, dataset: Dataset, report: Report | None, status: Markup | str, finding: str, language: str
    ) -> tuple[Any, ...]:
        if report is None:
            none = "" if status else empty(say("reports.none_yet", language))
            hidden = gr.Column(visible=False)
            return status, none, "", "", hidden, gr.Dropdown(choices=[], value=None), "", "", 0
        verdicts = report.verdicts
        counted = {
            "verdict_bad": verdicts.bad,
            "verdict_look": verdicts.look,
            **{f"finding_{one.name}": one.rows for one in report.findings},
        }
        choices = [
            (f"{say(f'reports.{key}', language)} ({number(rows)})", key.partition("_")[2])
            for key, rows in counted.items()
            if rows
        ]
        names = [name for _, name in choices]
        first = finding if finding in names else (names[0] if names else None)
        return (
            status,
            report_view.summary(report, dataset, language),
            report_charts.payload(report, language),
            report_view.details(report, language, str(self.studio.settings.suites)),
            gr.Column(visible=bool(choices)),
            gr.Dropdown(choices=choices, value=first),
            *self._rows(dataset, first, 0, language),
        )

    def _rows(self, dataset: Dataset, finding: str | None, offset: int, language: str) -> tuple[Any, ...]:
        """A page of the rows that have the finding: where it is, the rows, its offset."""
        if not finding:
            return "", "", 0
        numbers, total = judging.rows_with(self.studio, dataset, finding, offset, PAGE)
        if not numbers and total:
            offset = (total - 1) // PAGE * PAGE
            numbers, total = judging.rows_with(self.studio, dataset, finding, offset, PAGE)
        offset = max(0, offset)
        table = report_view.found_rows(
            judging.records_at(self.studio, dataset, numbers),
            dataset,
            judging.about_rows(self.studio, dataset, numbers),
            language,
        )
        where = say(
            "data.position",
            language,
            first=number(offset + 1),
            last=number(offset + len(numbers)),
            rows=number(total),
        )
        return html('<p class="ts-muted" aria-live="polite">{}</p>', where), table, offset
