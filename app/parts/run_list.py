"""The list of runs: trainings or work on data, narrowed to some states, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from app.i18n import say
from app.parts import merge_view, run_view
from app.parts.html import NOTHING, badge, empty, html, join, number, table
from studio_core.base.states import LIVE, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import metrics, queue
from studio_core.runs.kinds import LISTED
from studio_core.runs.reasons import waiting_reasons

PAGE = 50
"""Rows of the list that are shown at once."""
SHOWN: dict[str, Sequence[State]] = {
    "all": (),
    "going": (State.QUEUED, *sorted(LIVE)),
    "succeeded": (State.SUCCEEDED,),
    "failed": (State.FAILED, State.INTERRUPTED),
    "cancelled": (State.CANCELLED,),
}
"""What the list can be narrowed to."""


def jobs_page(studio: Studio, language: str, show: str, before: int | None, kind: str = "train") -> Markup:
    """One page of the list, newest first, with what it can be narrowed to and the way to older ones."""
    show = show if show in SHOWN else "all"
    # One more than is shown: whether there are older ones is known without counting.
    jobs = queue.all_jobs(studio, kind=kind, states=SHOWN[show], before=before, limit=PAGE + 1)
    counted = queue.counts(studio, kind)
    kinds = _kinds(studio, kind, language)
    if not counted:
        return html("{}{}", kinds, jobs_table(studio, [], language))
    choices = join(_choice(name, name == show, counted, kind, language) for name in SHOWN)
    way = '<a class="ts-button" href="/runs?kind={}&amp;show={}&amp;before={}">{}</a>'
    last = jobs[PAGE - 1].id if len(jobs) > PAGE else 0
    older = html(way, kind, show, last, say("runs.older", language)) if last else Markup()
    newest = '<a class="ts-button" href="/runs?kind={}&amp;show={}">{}</a>'
    back = html(newest, kind, show, say("runs.newest", language)) if before is not None else Markup()
    body = jobs_table(studio, jobs[:PAGE], language) if jobs else empty(say("runs.none_such", language))
    return html(
        '{}<nav class="ts-row ts-narrow" aria-label="{}">{}</nav>{}<div class="ts-row ts-pager">{}{}</div>',
        kinds,
        say("runs.narrow", language),
        choices,
        body,
        back,
        older,
    )


def _kinds(studio: Studio, kind: str, language: str) -> Markup:
    """The kinds of which there are jobs; nothing to choose while there are only trainings."""
    others = [name for name in LISTED if name == LISTED[0] or queue.counts(studio, name)]
    if kind == LISTED[0] and len(others) == 1:
        return Markup()
    links = join(
        html(
            '<a href="/runs?kind={}"{}>{}</a>',
            name,
            Markup(' aria-current="page"') if name == kind else Markup(),
            say(f"runs.kind_{name}", language),
        )
        for name in dict.fromkeys([*others, kind])
    )
    return html('<nav class="ts-row ts-kinds" aria-label="{}">{}</nav>', say("runs.kinds", language), links)


def _choice(name: str, chosen: bool, counted: dict[State, int], kind: str, language: str) -> Markup:
    n = sum(counted.get(state, 0) for state in SHOWN[name] or State)
    return html(
        '<a class="ts-button" href="/runs?kind={}&amp;show={}"{}>{} <span class="ts-muted">{}</span></a>',
        kind,
        name,
        Markup(' aria-current="page"') if chosen else Markup(),
        say(f"runs.show_{name}", language),
        number(n),
    )


def jobs_table(studio: Studio, jobs: Sequence[Job], language: str) -> Markup:
    """Trainings, each with its state, progress and loss."""
    if not jobs:
        return empty(say("runs.none", language), (say("runs.to_train", language), "/train"))
    names = ["run", "state", "what", "progress", "time"]
    reasons = waiting_reasons(studio, jobs, language)
    rows = [_line(studio, job, reasons, language) for job in jobs]
    if jobs[0].kind == "train":
        names.append("loss")
        latest = metrics.recent(studio, jobs)
        for row, job in zip(rows, jobs, strict=True):
            row.append(number(latest[job.id].means.get("loss")) if job.id in latest else NOTHING)
    return table([say(f"runs.col_{name}", language) for name in names], rows)


def _line(studio: Studio, job: Job, reasons: dict[int, str], language: str) -> list[Any]:
    name = run_view.named(job, language)
    state = html(
        '{}<div class="ts-muted ts-sentence">{}</div>',
        badge(job.state, language, job.cause),
        run_view.sentence(studio, job, reasons, language),
    )
    if job.kind == "data":
        what = html(
            "{} ← {}", run_view.operation_title(job, language), ", ".join(job.spec["datasets"]) or NOTHING
        )
        return [name, state, what, run_view.bar(job, language), run_view.time_of(job, language)]
    if job.kind == "merge":
        what = html("{} ← {}", (job.method or "").upper(), merge_view.summed(job.spec["adapters"]))
        return [name, state, what, NOTHING, run_view.time_of(job, language)]
    model, dataset = job.spec.get("model", NOTHING), job.spec.get("dataset", NOTHING)
    what = html(
        "{} · {}<br><span class='ts-muted'>{} ← {}</span>",
        (job.method or "").upper(),
        run_view.tuning_title(job, language),
        model,
        dataset,
    )
    return [name, state, what, run_view.bar(job, language), run_view.time_of(job, language)]
