"""A job that fetches or imports, followed on the page on which it was asked for."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from app.i18n import say
from app.parts.html import duration, html, notice, number
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.curation import making
from studio_core.data import versions
from studio_core.data.store import Imported
from studio_core.runs import queue
from studio_core.runs.reasons import ending, waiting_reason

KINDS = (making.IMPORT, making.FETCH)


def unfinished(studio: Studio) -> dict[str, Any] | None:
    """The newest import or fetch that is still going on, if there is one: the page may have been left."""
    jobs = [*queue.live(studio), *queue.waiting(studio)]
    numbers = [job.id for job in jobs if job.kind == "data" and job.method in KINDS]
    return {"job": max(numbers)} if numbers else None


def shown(studio: Studio, job: Job, language: str) -> Markup:
    """How far the job is, or why it waits."""
    if job.state == State.QUEUED:
        told = waiting_reason(studio, job, language)
    else:
        left = job.latest.get("seconds_left")
        rate = job.latest.get("records_per_second")
        told = (
            say("adding.rows_done", language, n=number(job.step))
            if job.step
            else say("adding.beginning", language)
        )
        if rate:
            told += " · " + say("adding.rows_per_second", language, n=number(round(rate)))
        if left is not None and left >= 1:
            told += " · " + say("adding.time_left", language, time=duration(left, language))
    share = min(1.0, job.step / job.total_steps) if job.total_steps else 0.0
    bar = html('<progress max="1" value="{}" aria-label="{}"></progress>', f"{share:.3f}", job.name)
    return html(
        '<section class="ts-card ts-sending" role="status"><p><strong>{}</strong> '
        '<a href="/runs?run={}">{}</a></p>{}<p class="ts-muted">{}</p></section>',
        say("adding.importing" if job.method == making.IMPORT else "adding.fetching", language),
        job.id,
        job.spec["result"] or job.spec["options"].get("hub", job.name),
        bar if job.step else html("<progress></progress>"),
        told,
    )


def failed(job: Job, language: str) -> Markup:
    return notice("bad", say(f"adding.{job.method}_failed", language, reason=ending(job, language)))


def imported(studio: Studio, job: Job) -> Imported:
    """What an import that succeeded has made, or the version that held these very records before."""
    results = versions.of_job(studio, job.id)
    dataset = results[0] if results else versions.get(studio, job.spec["result"])
    return Imported(dataset, dataset.rejected, new=bool(results))


def is_over(job: Job) -> bool:
    return job.state in TERMINAL
