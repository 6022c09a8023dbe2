"""How an evaluation looks on the page of its job: the parts that differ from those of a training (``run_view``)."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from app.i18n import say
from app.parts import run_view, run_words
from app.parts.html import html, table
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.evaluation import browsing, loading, results
from studio_core.evaluation.sentences import verdict
from studio_core.methods.base import Chart


def result_mark(studio: Studio, job: Job) -> str:
    return str(len(results.of_job(studio, job.id)))


def suites(job: Job, language: str) -> str:
    """What is asked, in a line."""
    return ", ".join(browsing.title(each["name"] or each["dataset"], language) for each in job.spec["suites"])


def header(studio: Studio, job: Job, language: str) -> Markup:
    facts: list[tuple[str, Markup | str]] = [
        (say("evaluation.models", language), ", ".join(job.spec["models"])),
        (say("evaluation.suites", language), suites(job, language)),
    ]
    link = html('<a href="/evaluate?job={}">{}</a>', job.id, say("evaluation.to_report", language))
    return run_view.titled(studio, job, facts, link, language)


def progress(studio: Studio, job: Job, language: str) -> Markup:
    return html(
        '<div class="ts-progress">{}<span class="ts-progress-time">{}</span></div>',
        run_words.bar(job, language),
        run_words.time_of(job, language),
    )


def answers(studio: Studio, job: Job, language: str) -> Markup:
    """The verdict of each model in a sentence, once there is something to say."""
    made = loading.of_job(studio, job, language)
    if made is None:
        return Markup()
    rows = [[model, verdict(made, model, language)] for model in made.models[1:] or made.models]
    heads = [say("evaluation.col_model", language), say("evaluation.verdicts", language)]
    return html("<h2>{}</h2>{}", say("runs.result", language), table(heads, rows))


def links(studio: Studio, job: Job, language: str) -> Markup:
    return html(
        '<a class="ts-button ts-button-primary" href="/evaluate?job={}">{}</a>',
        job.id,
        say("evaluation.to_report", language),
    )


def configuration(job: Job, language: str) -> Markup:
    limit = job.spec["limit"] or say("evaluation.all_items", language)
    rows = [[html("<code>limit</code>"), str(limit)], [html("<code>seed</code>"), str(job.spec["seed"])]]
    heads = [say("runs.option", language), say("runs.value", language)]
    return html("<h2>{}</h2>{}", say("runs.configuration", language), table(heads, rows))


def charts(job: Job) -> Sequence[Chart]:
    return ()


def checkpoints(job: Job, language: str) -> Markup:
    return Markup()


def savable(job: Job) -> bool:
    """Suites that are done are kept."""
    return True


def resumable(job: Job) -> bool:
    """Whether there may be something left to do."""
    return job.state in TERMINAL and not (job.state == State.SUCCEEDED and job.cause is None)
