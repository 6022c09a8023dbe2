"""Report: what is good in a version, what to look at, and what to do about it. Made by a job, once, and stored."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts import preview_form, report_charts, report_details, report_view
from app.parts.dataset import opened
from app.parts.events import ASKED, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
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
    parts = {**_asking(), **_shown(), "job": gr.State(0), "offset": gr.State(0)}
    parts["timer"] = gr.Timer(1.0, active=False)
    section = ReportSection(studio, parts)
    asking = [parts[name] for name in ("model", "limit")]
    watching = [parts[name] for name in ("status", "job", "timer")]
    turning = [parts[name] for name in ("position", "rows", "offset")]
    report = [parts[name] for name in ("status", "summary", "charts", "details", "card", "finding")]
    on_open(section.open, [*report, *turning, *asking, *watching[1:]])
    tab.select(safely(section.selected), None, watching, **LIGHT)
    for asked in (parts["make"].click, parts["details"].make):
        asked(safely(section.make), asking, watching, trigger_mode="once", **ASKED)
    parts["timer"].tick(safely(section.look), [parts["job"]], [*report, *turning, parts["timer"]], **LIGHT)
    parts["finding"].input(safely(section.chosen), [parts["finding"]], turning, **LIGHT)
    place = [parts["finding"], parts["offset"]]
    parts["back"].click(safely(section.back), place, turning, **LIGHT)
    parts["forward"].click(safely(section.forward), place, turning, **LIGHT)


def _asking() -> dict[str, Any]:
    """What a report is asked for with."""
    with gr.Row(elem_id="report-asking", equal_height=False):
        return {
            "model": gr.Dropdown(
                [],
                label=t("reports.tokenizer"),
                info=t("reports.tokenizer_help"),
                elem_id="report-model",
                scale=2,
            ),
            "limit": gr.Number(
                LIMIT,
                label=t("reports.limit"),
                info=t("reports.limit_help"),
                precision=0,
                minimum=0,
                elem_id="report-limit",
                min_width=160,
            ),
            "make": gr.Button(t("reports.make"), elem_id="report-make", scale=0, min_width=160),
        }


def _shown() -> dict[str, Any]:
    """The report, and the rows of one of its findings."""
    parts: dict[str, Any] = {
        "status": panel("report-status"),
        "summary": panel("report-summary"),
        "charts": report_charts.report_charts("report-charts"),
        "details": panel("report-details", js_on_load=_MAKE),
    }
    with gr.Column(visible=False, elem_id="report-rows-card") as parts["card"]:
        gr.HTML('<div id="report-rows-head"></div>', apply_default_css=False)
        parts["finding"] = gr.Dropdown([], label=t("reports.rows_of"), elem_id="report-finding")
        with gr.Row(elem_id="report-turning"):
            parts["position"] = panel("report-position")
            for name, label in (("back", "previous"), ("forward", "next")):
                parts[name] = gr.Button(t(f"data.{label}"), elem_id=f"report-{label}", scale=0, min_width=140)
        parts["rows"] = panel("report-rows")
    return parts


class ReportSection(Handlers):
    """What the section does when the page or its tab is opened, on a tick, and on its buttons."""

    def open(self, request: gr.Request) -> Updates:
        language = language_of(request)
        dataset = opened(self.studio, request)
        report = judging.stored_report(self.studio, dataset)
        model, choices = preview_form.models(self.studio, report.model if report else None)
        wanted = str(request.query_params.get("finding", ""))
        updates = {
            **self._report(dataset, report, "", wanted, language),
            **self._updates(
                model=choices,
                limit=(report.limit if report else None) or LIMIT,
                job=0,
                timer=gr.Timer(active=False),
            ),
        }
        if report is None and str(request.query_params.get("tab", "")) == NAME:
            updates |= self._asked(dataset, model, LIMIT, language)
            updates |= self._updates(summary="")  # Instead of "none yet": one is on its way.
        return updates

    def selected(self, request: gr.Request) -> Any:
        """The tab was opened: a version without a report gets one.

        It takes nothing of the form: the tab may be opened before the server knows what the form offers.
        """
        dataset = opened(self.studio, request)
        if judging.report_of(self.studio, dataset.id) is not None:
            return gr.skip()
        model, _ = preview_form.models(self.studio, None)
        return self._asked(dataset, model, LIMIT, language_of(request))

    def make(self, model: str | None, limit: Any, request: gr.Request) -> Updates:
        """The report is asked for with this tokenizer and this limit."""
        return self._asked(opened(self.studio, request), model, limit, language_of(request))

    def look(self, job: int, request: gr.Request) -> Updates:
        """How far the report is; once it is there it is shown."""
        language = language_of(request)
        going = queue.get(self.studio, int(job))
        if going.state not in TERMINAL:
            return self._updates(status=self._progress(going, language))
        dataset = opened(self.studio, request)
        status = "" if going.state == State.SUCCEEDED else notice("warn", ending(going, language))
        report = judging.stored_report(self.studio, dataset)
        updates = self._report(dataset, report, status, "", language)
        return {**updates, **self._updates(timer=gr.Timer(active=False))}

    def chosen(self, finding: str | None, request: gr.Request) -> Updates:
        return self._rows(opened(self.studio, request), finding, 0, language_of(request))

    def back(self, finding: str | None, offset: int, request: gr.Request) -> Updates:
        return self._rows(opened(self.studio, request), finding, int(offset) - PAGE, language_of(request))

    def forward(self, finding: str | None, offset: int, request: gr.Request) -> Updates:
        return self._rows(opened(self.studio, request), finding, int(offset) + PAGE, language_of(request))

    def _asked(self, dataset: Dataset, model: str | None, limit: Any, language: str) -> Updates:
        """A job makes the report; the timer looks how it goes."""
        job = making.ask_report(self.studio, dataset, str(model or ""), max(0, int(limit or 0)))
        if job is None:
            there = notice("info", say("reports.is_there", language))
            return self._updates(status=there, job=0, timer=gr.Timer(active=False))
        ensure_engine(self.studio)
        return self._updates(status=self._progress(job, language), job=job.id, timer=gr.Timer(active=True))

    def _progress(self, job: Job, language: str) -> Markup:
        if job.state == State.QUEUED or not job.total_steps:
            sentence = say("reports.begins", language)
        else:
            sentence = say("reports.going", language, done=number(job.step), rows=number(job.total_steps))
        link = html('<a href="/runs?run={}">{}</a>', job.id, say("reports.to_job", language))
        return notice("info", html("{} {}", sentence, link))

    def _report(
        self, dataset: Dataset, report: Report | None, status: Markup | str, finding: str, language: str
    ) -> Updates:
        """The whole report and the first rows of a finding, or that there is none."""
        if report is None:
            return self._updates(
                status=status,
                summary="" if status else empty(say("reports.none_yet", language)),
                charts="",
                details="",
                card=gr.Column(visible=False),
                finding=gr.Dropdown(choices=[], value=None),
                position="",
                rows="",
                offset=0,
            )
        choices = _findings(report, language)
        names = [name for _, name in choices]
        first = finding if finding in names else (names[0] if names else None)
        suites = str(self.studio.settings.suites)
        updates = self._updates(
            status=status,
            summary=report_view.summary(report, dataset, language),
            charts=report_charts.payload(report, language),
            details=report_details.details(report, language, suites),
            card=gr.Column(visible=bool(choices)),
            finding=gr.Dropdown(choices=choices, value=first),
        )
        return {**updates, **self._rows(dataset, first, 0, language)}

    def _rows(self, dataset: Dataset, finding: str | None, offset: int, language: str) -> Updates:
        """A page of the rows that have the finding: where it is, the rows, its offset."""
        if not finding:
            return self._updates(position="", rows="", offset=0)
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
        position = html('<p class="ts-muted" aria-live="polite">{}</p>', where)
        return self._updates(position=position, rows=table, offset=offset)


def _findings(report: Report, language: str) -> list[tuple[str, str]]:
    """Verdicts and findings that some rows have, with how many: ``(label, value)``."""
    verdicts = report.verdicts
    counts = {
        "verdict_bad": verdicts.bad,
        "verdict_look": verdicts.look,
        **{f"finding_{finding.name}": finding.rows for finding in report.findings},
    }
    return [
        (f"{say(f'reports.{key}', language)} ({number(rows)})", key.partition("_")[2])
        for key, rows in counts.items()
        if rows
    ]
