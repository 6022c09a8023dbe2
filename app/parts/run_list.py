"""The list of runs: trainings or work on data, searched, narrowed to some states, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from app.i18n import say
from app.parts import export_view, merge_view, run_words
from app.parts.evaluation import run_page
from app.parts.html import NOTHING, badge, empty, html, join, notice, number
from app.parts.keeping import bar, columns, marks_view
from app.parts.keeping.columns import Columns
from studio_core.base.errors import BadInput
from studio_core.base.states import LIVE, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Mark
from studio_core.keeping import search
from studio_core.keeping.runs import RUNS
from studio_core.keeping.search import Query
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
COLUMNS = Columns("runs.col_", "run", ("state", "what", "progress", "time", "loss"))


def jobs_page(
    studio: Studio,
    language: str,
    show: str,
    query: Query | None = None,
    kind: str = "train",
    asked: Sequence[str] = (),
) -> Markup:
    """One page of the list, with what it can be narrowed to and the ways to the other pages."""
    show, query = show if show in SHOWN else "all", query or Query(limit=PAGE)
    of_kind = Job.kind == kind
    states = [Job.state.in_(SHOWN[show])] if SHOWN[show] else []
    try:
        page = search.find(studio, RUNS, query, of_kind, *states)
    except BadInput as error:  # An order that there is not.
        return notice("warn", error.sentence(language))
    found = search.counts(studio, RUNS, query, Job.state, of_kind)
    counted = {State(state): n for state, n in found.items()}
    kinds = _kinds(studio, kind, language)
    if not counted and query == Query(limit=PAGE):
        return html("{}{}", kinds, jobs_table(studio, [], language))
    kept = {"kind": kind, "show": show, **columns.kept(asked)}
    address = {**kept, **query.address(page="")}
    choices = join(_choice(name, name == show, counted, address, language) for name in SHOWN)
    body = (
        jobs_table(studio, page.rows, language, page.marks, asked)
        if page.rows
        else empty(say("runs.none_such", language))
    )
    return html(
        '{}<nav class="ts-row ts-narrow" aria-label="{}">{}</nav>{}{}',
        kinds,
        say("runs.narrow", language),
        choices,
        body,
        bar.pager(query, page.total, "/runs", language, kept),
    )


def jobs_bar(query: Query, show: str, kind: str, asked: Sequence[str], language: str) -> Markup:
    """What is looked for in the list."""
    return bar.search_bar(
        RUNS,
        query,
        "/runs",
        "runs-things",
        language,
        kept={
            "kind": "" if kind == LISTED[0] else kind,
            "show": show if show in SHOWN and show != "all" else "",
        },
        columns=COLUMNS,
        asked=asked,
        without=() if kind == LISTED[0] else ("loss",),
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


def _choice(
    name: str, chosen: bool, counted: dict[State, int], address: dict[str, str], language: str
) -> Markup:
    n = sum(counted.get(state, 0) for state in SHOWN[name] or State)
    return html(
        '<a class="ts-button" href="/runs?{}"{}>{} <span class="ts-muted">{}</span></a>',
        urlencode({**address, "show": name}),
        Markup(' aria-current="page"') if chosen else Markup(),
        say(f"runs.show_{name}", language),
        number(n),
    )


def jobs_table(
    studio: Studio,
    jobs: Sequence[Job],
    language: str,
    marks: Mapping[int, Mark] | None = None,
    asked: Sequence[str] = (),
) -> Markup:
    """Runs, each with its state, progress and loss, and with what was noted on it."""
    if not jobs:
        return empty(say("runs.none", language), (say("runs.to_train", language), "/train"))
    marks = marks or {}
    reasons = waiting_reasons(studio, jobs, language)
    cells = [_line(studio, job, reasons, marks.get(job.id), language) for job in jobs]
    if jobs[0].kind == "train":
        told = metrics.warnings(studio, jobs)
        latest = metrics.recent(studio, jobs)
        for line, job in zip(cells, jobs, strict=True):
            line["state"] += _warnings(told.get(job.id, []), language)
            line["loss"] = number(latest[job.id].means.get("loss")) if job.id in latest else NOTHING
    return COLUMNS.table(cells, asked, language)


def _warnings(told: Sequence[dict[str, Any]], language: str) -> Markup:
    """The newest warning of a run, and how many there are before it."""
    if not told:
        return Markup()
    more = html(" {}", say("runs.more_warnings", language, n=len(told) - 1)) if told[1:] else Markup()
    text = metrics.sentence(told[0], language)
    return html('<div class="ts-sentence ts-run-warning">{}{}</div>', text, more)


def _line(
    studio: Studio, job: Job, reasons: dict[int, str], mark: Mark | None, language: str
) -> dict[str, Any]:
    """The cells of a run, by the names of their columns."""
    state = html(
        '{}<div class="ts-muted ts-sentence">{}</div>',
        badge(job.state, language, job.cause),
        run_words.sentence(studio, job, reasons, language),
    )
    return {
        "run": marks_view.named(RUNS, job, mark, run_words.named(job, language), "/runs", language),
        "state": state,
        "what": _what(job, language),
        "progress": NOTHING if job.kind in ("merge", "export") else run_words.bar(job, language),
        "time": run_words.time_of(job, language),
        "note": marks_view.note(mark),
    }


def _what(job: Job, language: str) -> Markup:
    """What a run works on, by its kind."""
    if job.kind == "data":
        made_of = ", ".join(job.spec["datasets"]) or NOTHING
        return html("{} ← {}", run_words.operation_title(job, language), made_of)
    if job.kind == "merge":
        return html("{} ← {}", (job.method or "").upper(), merge_view.summed(job.spec["adapters"]))
    if job.kind == "export":
        return html("{} ← {}", export_view.title_of(job, language), job.spec["model"])
    if job.kind == "push":
        return html("{} ← {}", job.spec["repo"], job.spec["model"])
    if job.kind == "evaluate":
        return html("{} ← {}", ", ".join(job.spec["models"]), run_page.suites(job, language))
    model, dataset = job.spec.get("model", NOTHING), job.spec.get("dataset", NOTHING)
    return html(
        "{} · {}<br><span class='ts-muted'>{} ← {}</span>",
        (job.method or "").upper(),
        run_words.tuning_title(job, language),
        model,
        dataset,
    )
