"""How work on data looks on its own page: the parts that differ from those of a training (``run_view``)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from markupsafe import Markup

from app.i18n import say
from app.parts import curation_view, run_view, run_words
from app.parts.html import NOTHING, html, join, number, table
from app.parts.labeling import making_progress
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.data import versions
from studio_core.methods.base import Chart

savable = run_view.savable


def charts(job: Job) -> Sequence[Chart]:
    return ()


def result_mark(studio: Studio, job: Job) -> str:
    return ",".join(str(dataset.id) for dataset in versions.of_job(studio, job.id))


def header(studio: Studio, job: Job, language: str) -> Markup:
    """Name, state with its sentence, what it works on, and what it made."""
    sources = [
        html('<a href="/dataset?id={}">{}</a>', quote(name, safe=""), name) for name in job.spec["datasets"]
    ]
    facts: list[tuple[str, Markup | str]] = [
        (say("runs.operation", language), run_words.operation_title(job, language)),
    ]
    if not _project(job):
        facts.append((say("runs.dataset", language), join(sources, ", ") if sources else NOTHING))
    return run_view.titled(studio, job, facts, _results(studio, job, language), language)


def _results(studio: Studio, job: Job, language: str) -> Markup | str:
    """Links to what it made, with the figures of how."""
    results = versions.of_job(studio, job.id)
    links = [_link(dataset, language) for dataset in results]
    if project := _project(job):
        links.append(html('<a href="/label?project={}">{}</a>', project, say("labeling.making_to", language)))
    if job.method == "report" and job.state == State.SUCCEEDED:
        name = job.spec["datasets"][0]
        address = f"/dataset?id={quote(name, safe='')}&tab=report"
        links.append(html('<a href="{}">{}</a>', address, say("runs.to_report", language)))
    return join(links, " ") if links else ""


def _link(dataset: Dataset, language: str) -> Markup:
    named = f"{dataset.name}@{dataset.version}"
    sentence = say("runs.data_made", language, rows=number(dataset.rows), name=named)
    return html('<a href="/dataset?id={}">{}</a>', dataset.id, sentence)


def progress(studio: Studio, job: Job, language: str) -> Markup:
    figures = [
        html("<span><b>{}</b> {}</span>", number(value), say(key, language))
        for name, key in (_LABELLING if _project(job) else _FIGURES).items()
        if (value := job.latest.get(name)) is not None
    ]
    return html(
        '<div class="ts-progress">{}<span class="ts-progress-time">{}</span>{}</div>',
        run_words.bar(job, language),
        run_words.time_of(job, language),
        join(figures),
    )


_FIGURES = {
    "records_per_second": "methods.metric.records_per_second",
    "answers_cached": "generation.view.cached",
    "answers_failed": "generation.view.failed",
    "answers_tokens": "generation.view.tokens",
    "answers_cost": "generation.view.cost",
}
"""Figures that a job may report, and how each is called."""
_LABELLING = {
    **_FIGURES,
    "records_per_second": "labeling.making_rate",
    "unreadable": "labeling.judge_unreadable",
}


def _project(job: Job) -> int | None:
    """The labelling project that a job works for."""
    project = job.spec["options"].get("project")
    return project if isinstance(project, int) else None


def answers(studio: Studio, job: Job, language: str) -> Markup:
    """What came of the records, once it is known."""
    if project := _project(job):
        return making_progress.counted(studio, project, job, language)
    results = versions.of_job(studio, job.id)
    if not results:
        return Markup()
    what = results[0].made
    rows = [[curation_view.count_name(name, language), number(n)] for name, n in what["counts"].items()]
    heads = [say("runs.came_of", language), say("runs.records_n", language)]
    details = what.get("details", {})
    return html(
        "<h2>{}</h2>{}{}{}",
        say("runs.result", language),
        table(heads, rows),
        curation_view.coverage(details.get("coverage", {}), language),
        curation_view.reasons(details.get("reasons", {}), language),
    )


def checkpoints(job: Job, language: str) -> Markup:
    return Markup()


def links(studio: Studio, job: Job, language: str) -> Markup:
    return Markup()


def configuration(job: Job, language: str) -> Markup:
    options = job.spec["run"]["options"]
    shown = {name: value for name, value in options.items() if value != "" or not _project(job)}
    rows = [[html("<code>{}</code>", name), _value(value)] for name, value in shown.items()]
    heads = [say("runs.option", language), say("runs.value", language)]
    return (
        html("<h2>{}</h2>{}", say("runs.configuration", language), table(heads, rows)) if rows else Markup()
    )


def _value(value: object) -> str:
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        value = "; ".join(
            ", ".join(f"{name} {_value(item[name])}" for name in item if item[name] not in ("", None))
            for item in value
        )
    text = str(value).lower() if isinstance(value, bool) or value is None else str(value)
    return text if len(text) <= 300 else f"{text[:300]}…"


def resumable(job: Job) -> bool:
    """Whether there may be something left to do."""
    return job.state in TERMINAL and not (job.state == State.SUCCEEDED and job.cause is None)
