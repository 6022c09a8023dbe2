"""What lists, cards and pages say of a job in the same words: name, progress, time, what its state means."""

from __future__ import annotations

from markupsafe import Markup

from app.i18n import say
from app.parts.html import NOTHING, ago, duration, html, number
from studio_core import texts, training
from studio_core.base import clock
from studio_core.base.states import LIVE, TERMINAL, State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.handover import taking
from studio_core.labeling.writing import ANSWERS, PRELABEL
from studio_core.runs import queue
from studio_core.runs.reasons import ending
from studio_core.tunings import DEFAULT, TUNINGS


def operation_title(job: Job, language: str) -> str:
    """What a job on data does, in a word or two."""
    catalogue = texts.catalogue(texts.DEFAULT_LANGUAGE)
    keys = (f"curation.{job.method}", f"labeling.operation_{job.method}")
    # Of an operation that this version no longer has, its bare name is better than an error.
    return next((say(key, language) for key in keys if key in catalogue), str(job.method))


def tuning_title(job: Job, language: str) -> str:
    """The run's way of tuning; one that the studio does not know (any more) by its own name."""
    name = str(job.spec.get("tuning", DEFAULT))
    return say(TUNINGS[name].title_key, language) if name in TUNINGS else name


def named(job: Job, language: str) -> Markup:
    """A run by number and name, as a link; one that goes on from another says from which, as both have one name."""
    link = html('<a href="/runs?run={0}">{0} · {1}</a>', job.id, job.name)
    if not job.resumes_id:
        return link
    return html(
        '{} <a class="ts-muted" href="/runs?run={}">{}</a>',
        link,
        job.resumes_id,
        say("runs.resumes", language, run=job.resumes_id),
    )


_STEPS = {"data": "runs.records", "evaluate": "runs.questions", "export": "runs.questions"}
"""What the steps of a kind of job are, if they are not called so."""


def bar(job: Job, language: str) -> Markup:
    """Progress as a bar and in figures."""
    share = job.step / job.total_steps if job.total_steps else 0.0
    # Never over the end of the bar, whatever a worker reports.
    percent = f"{100 * min(1.0, share):.1f}"
    words = _STEPS.get(job.kind, "runs.steps")
    if job.method in (ANSWERS, PRELABEL):
        words = "labeling.making_steps"
    steps = say(words, language, step=number(job.step), total=number(job.total_steps))
    return html(
        '<div class="ts-bar" role="progressbar" aria-valuenow="{0}" aria-valuemin="0" aria-valuemax="100"'
        ' aria-label="{1}"><span style="width:{0}%" class="ts-bar-{2}"></span></div>'
        '<span class="ts-muted ts-bar-steps">{1}</span>',
        percent,
        steps,
        job.state,
    )


def time_of(job: Job, language: str) -> Markup:
    """Time left while it runs; afterwards how long it took."""
    if taking.elsewhere(job) and job.state in TERMINAL:
        return ago(job.finished_at, language)  # How long the import took says nothing of the training.
    if job.state in LIVE:
        left = training.seconds_left(job)
        return html(
            "{}", say("runs.left", language, time=duration(left, language)) if left is not None else NOTHING
        )
    if job.started_at and job.finished_at:
        took = (job.finished_at - job.started_at).total_seconds()
        return html(
            "{}<br>{}",
            say("runs.took", language, time=duration(took, language)),
            ago(job.finished_at, language),
        )
    return ago(job.submitted_at, language)


def sentence(studio: Studio, job: Job, reasons: dict[int, str], language: str) -> str:
    """What the job's state means now."""
    if job.state == State.QUEUED:
        return reasons.get(job.id, "")
    if job.state == State.STOPPING:
        if job.stop_request == Stop.CANCEL:
            return say("runs.stopping_cancel", language)
        return say("runs.stopping_save", language, time=duration(_grace_left(studio, job), language))
    if job.state in LIVE:
        return say(f"runs.phase_{job.phase}" if job.phase in _PHASES else "runs.phase_starting", language)
    return ending(job, language) or say(f"runs.finished_{job.kind}", language)


def _grace_left(studio: Studio, job: Job) -> float:
    """Seconds until a run that saves is ended by force."""
    since = queue.events(studio, job.id)[-1].at
    passed = max(0.0, (clock.now() - since).total_seconds())  # The clock may have been set back.
    return max(0.0, studio.settings.stop_grace - passed)


_PHASES = ("loading", "preparing", "training", "working", "merging", "saving", "exporting", "comparing")
