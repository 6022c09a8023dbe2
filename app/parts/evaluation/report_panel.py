"""One evaluation: how far it is, its report, and the report as files."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from markupsafe import Markup

from app.files import mounts
from app.i18n import phrases
from app.parts import run_words
from app.parts.evaluation import files
from app.parts.html import badge, empty, html, join, notice
from studio_core.base.errors import NotFound
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.evaluation import loading, results
from studio_core.evaluation.canvas import Drawing
from studio_core.evaluation.further_words import further_lines
from studio_core.evaluation.page import body
from studio_core.labeling.suite_agreement import judged_lines
from studio_core.runs.reasons import waiting_reasons

SCRIPT = mounts("js/drawings.js")
_FILES = {"report.html": "html", "report.csv": "csv", "items.csv": "items", "report.json": "json"}


def mark(studio: Studio, job: Job) -> str:
    """Another one when there is something new to show."""
    return f"{job.state}.{len(results.of_job(studio, job.id))}"


def head(studio: Studio, job: Job, language: str) -> Markup:
    """Name, state with its sentence, progress, and where to go from here."""
    phrase = phrases("evaluation.", language)
    asked = "&".join(
        f"{name}={quote(','.join(values), safe=',')}"
        for name, values in (
            ("models", job.spec["models"]),
            ("suites", [each["name"] for each in job.spec["suites"] if each["name"]]),
        )
    )
    links = [
        html('<a class="ts-button" href="/evaluate">{}</a>', phrase("back")),
        html('<a class="ts-button" href="/evaluate?{}">{}</a>', asked, phrase("again")),
        html('<a class="ts-button" href="/runs?run={}">{}</a>', job.id, phrase("to_run")),
    ]
    going = (
        html(
            '<div class="ts-progress">{}<span class="ts-progress-time">{}</span></div>',
            run_words.bar(job, language),
            run_words.time_of(job, language),
        )
        if job.state not in TERMINAL
        else Markup()
    )
    return html(
        '<header class="ts-head ts-evaluation-head"><h1>{} {}</h1><p>{}</p></header>'
        '<div class="ts-actions">{}</div>{}',
        job.name,
        badge(job.state, language, job.cause),
        run_words.sentence(studio, job, waiting_reasons(studio, [job], language), language),
        join(links),
        going,
    )


def report(studio: Studio, job: Job, language: str) -> Markup:
    """The report, as soon as one suite is done by one model."""
    phrase = phrases("evaluation.", language)
    try:
        made = loading.of_job(studio, job, language)
    except NotFound as error:
        return notice("bad", error.sentence(language))
    if made is None:
        return empty(phrase("waiting")) if job.state not in TERMINAL else Markup()
    saved = join(
        html(
            '<a class="ts-button" href="{}" download>{}</a>',
            files.address(job.id, name),
            phrase(f"download_{key}"),
        )
        for name, key in _FILES.items()
    )
    return html(
        '<div class="ts-report">{}{}{}</div><div class="ts-actions">{}</div>',
        body(made, language, lambda drawing: _tools(job, drawing)),
        _listed("further_figures", further_lines(results.of_job(studio, job.id), language), language),
        _listed("judge_said", judged_lines(studio, job, language), language),
        saved,
    )


def _tools(job: Job, drawing: Drawing) -> Markup:
    """A drawing as a file, by its own address and as a picture that ``drawings.js`` makes of it."""
    return html(
        '<div class="ts-drawing-tools"><a href="{0}" download aria-label="SVG: {1}">SVG</a>'
        '<button type="button" data-picture="{0}" aria-label="PNG: {1}">PNG</button></div>',
        files.address(job.id, f"{drawing.name}.svg"),
        drawing.title,
    )


def _listed(title: str, lines: Sequence[str], language: str) -> Markup:
    """What else is to be said of models and suites; nothing where nothing is."""
    if not lines:
        return Markup()
    listed = join(html("<li>{}</li>", line) for line in lines)
    return html("<h2>{}</h2><ul>{}</ul>", phrases("evaluation.", language)(title), listed)
