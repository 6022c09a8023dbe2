"""Runs beside each other: the list that names their colours, the ways to change it, settings and answers.

Everything is in the address, ``/runs?compare=3,7,12&by=tokens&baseline=7``, so that what is seen can be sent on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from app.i18n import say
from app.parts import run_words
from app.parts.html import NOTHING, badge, difference, html, join, notice, number, table
from studio_core.base.states import LIVE
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import queue
from studio_core.runs.metrics import RECENT, Recent
from studio_core.training import comparison
from studio_core.training.comparison import AXES, MOST_RUNS, Axis, Curves, Setting

COLOURS = 10
_OFFERED = 50
"""Newest trainings that are offered to be added; of others one knows the number."""
_FIGURES = 4
"""Metrics in the table of runs: more would push the buttons out of the window."""


@dataclass(frozen=True)
class Comparison:
    """What is compared, and how."""

    jobs: list[Job]
    by: Axis = "step"
    baseline: int = 0
    """The run that the others are measured against."""

    def address(self, **changes: Any) -> str:
        other = replace(self, **changes)
        asked = {"compare": ",".join(str(job.id) for job in other.jobs), "by": other.by}
        if other.jobs and other.baseline != other.jobs[0].id:
            asked["baseline"] = str(other.baseline)
        return "/runs?" + urlencode(asked, safe=",")

    def without(self, job: Job) -> str:
        jobs = [one for one in self.jobs if one is not job]
        baseline = self.baseline if any(one.id == self.baseline for one in jobs) else jobs[0].id
        return self.address(jobs=jobs, baseline=baseline)

    @property
    def base(self) -> Job:
        return next(job for job in self.jobs if job.id == self.baseline)


def colour(place: int) -> str:
    """The token of the colour of the run at this place."""
    return f"--ts-run-{place % COLOURS + 1}"


def dash(place: int) -> str:
    """The second ten runs have the same colours, but broken lines."""
    return "solid" if place < COLOURS else "dash"


def swatch(place: int) -> Markup:
    """A piece of the line of the run at this place."""
    return html(
        '<span class="ts-swatch ts-swatch-{}" style="--line: var({})" aria-hidden="true"></span>',
        dash(place),
        colour(place),
    )


def head(studio: Studio, shown: Comparison, language: str) -> Markup:
    """The title, the runs with their figures, and the field that adds one."""
    return html(
        '<div class="ts-row"><a class="ts-muted" href="/runs">{}</a></div><h1>{}</h1>{}{}',
        say("runs.all", language),
        say("comparison.title", language, n=len(shown.jobs)),
        _runs(studio, shown, language),
        _adding(studio, shown, language),
    )


def _runs(studio: Studio, shown: Comparison, language: str) -> Markup:
    figures = comparison.figures(studio, shown.jobs)
    names = [name for name in comparison.headline(shown.jobs) if _told(name, figures)][:_FIGURES]
    heads = [
        *(say(f"comparison.col_{name}", language) for name in ("run", "state", "progress")),
        *(say(f"methods.metric.{name}", language) for name in names),
        say("comparison.col_actions", language),
    ]
    rows = [
        [
            html('<span class="ts-compared">{}{}</span>', swatch(place), run_words.named(job, language)),
            badge(job.state, language, job.cause),
            _progress(job, language),
            *(_figure(name, job, shown, figures) for name in names),
            _tools(job, shown, language),
        ]
        for place, job in enumerate(shown.jobs)
    ]
    note = say("comparison.figures_note", language, n=RECENT, run=shown.baseline)
    return html('{}<p class="ts-muted">{}</p>', table(heads, rows), note)


def _told(name: str, figures: dict[int, Recent]) -> bool:
    return any(name in recent.means for recent in figures.values())


def _progress(job: Job, language: str) -> Markup | str:
    """The steps; of a run that goes on also the time left. More would make the list longer than the charts."""
    steps = say("runs.steps", language, step=number(job.step), total=number(job.total_steps))
    return html("{}<br>{}", steps, run_words.time_of(job, language)) if job.state in LIVE else steps


def _figure(name: str, job: Job, shown: Comparison, figures: dict[int, Recent]) -> Markup | str:
    """The mean of the last values, and how far it is from the baseline's."""
    own = figures[job.id].means.get(name) if job.id in figures else None
    base = figures[shown.baseline].means.get(name) if shown.baseline in figures else None
    if own is None or base is None or job.id == shown.baseline:
        return number(own)
    return html('{} <span class="ts-muted">{}</span>', number(own), difference(own, base))


def _tools(job: Job, shown: Comparison, language: str) -> Markup:
    if job.id == shown.baseline:
        pin = html('<b class="ts-badge ts-badge-a">{}</b>', say("comparison.baseline", language))
    else:
        pin = html(
            '<a class="ts-button" href="{}" data-baseline="{}">{}</a>',
            shown.address(baseline=job.id),
            job.id,
            say("comparison.pin", language),
        )
    if len(shown.jobs) < 2:
        return pin
    remove = html(
        '<a class="ts-button" href="{}" aria-label="{}">×</a>',
        shown.without(job),
        say("comparison.remove", language, run=job.id),
    )
    return html('<span class="ts-row ts-compared-tools">{} {}</span>', pin, remove)


def _adding(studio: Studio, shown: Comparison, language: str) -> Markup:
    """A form without a script: its address is the comparison with one run more."""
    if len(shown.jobs) >= MOST_RUNS:
        return html('<p class="ts-muted">{}</p>', say("comparison.full", language, most=MOST_RUNS))
    ids = [job.id for job in shown.jobs]
    newest = [job for job in queue.all_jobs(studio, kind="train", limit=_OFFERED) if job.id not in ids]
    offered = join(html('<option value="{}">{}</option>', job.id, job.name) for job in newest)
    hidden = {"compare": ",".join(map(str, ids)), "by": shown.by, "baseline": shown.baseline}
    return html(
        '<form class="ts-row ts-compare-add" method="get" action="/runs">{}<label>{} '
        '<input id="compare-add" name="add" list="compare-offered" inputmode="numeric" autocomplete="off" required'
        ' pattern="[0-9]+"></label><datalist id="compare-offered">{}</datalist>'
        '<button class="ts-button" id="compare-add-button">{}</button></form>',
        join(
            html('<input type="hidden" name="{}" value="{}">', name, value) for name, value in hidden.items()
        ),
        say("comparison.add", language),
        offered,
        say("comparison.add_button", language),
    )


def axes(shown: Comparison, curves: Curves, language: str) -> Markup:
    """What the charts can be drawn over, and the runs that have no line over it."""
    links = join(
        html(
            '<a class="ts-button" href="{}"{}>{}</a>',
            shown.address(by=by),
            Markup(' aria-current="page"') if by == shown.by else Markup(),
            say(f"comparison.by_{by}", language),
        )
        for by in AXES
    )
    nav = html(
        '<nav class="ts-row ts-narrow" aria-label="{0}"><span class="ts-muted">{0}</span>{1}</nav>',
        say("comparison.axis", language),
        links,
    )
    if not curves.without:
        return nav
    runs = ", ".join(map(str, curves.without))
    return html("{}{}", nav, notice("warn", say(f"comparison.without_{shown.by}", language, runs=runs)))


def settings(shown: Comparison, language: str) -> Markup:
    """The runs' configurations, group by group; what they agree on is shown on request."""
    entries = comparison.settings(shown.jobs)
    differing = sum(not entry.same for entry in entries)
    base = shown.jobs.index(shown.base)
    heads = [say("comparison.setting", language)] + [f"{job.id} · {job.name}" for job in shown.jobs]
    body, group = [], ""
    for entry in entries:
        if len(entry.path) > 1 and entry.path[0] != group:
            group = entry.path[0]
            alike = all(one.same for one in entries if one.path[0] == group)
            body.append(_group(group, alike, len(heads), language))
        body.append(_setting(entry, base, heads))
    head = join(html('<th scope="col">{}</th>', name) for name in heads)
    return html(
        '<div class="ts-row ts-compare-head"><h2>{}</h2><label class="ts-check"><input type="checkbox" checked'
        ' id="compare-differences"> {}</label></div>{}'
        '<div class="ts-table-wrap" tabindex="0"><table class="ts-table ts-settings"><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>",
        say("comparison.settings", language),
        say("comparison.differences_only", language, n=differing, all=len(entries)),
        html('<p class="ts-muted ts-alike">{}</p>', say("comparison.alike", language))
        if not differing
        else Markup(),
        head,
        join(body),
    )


def _group(name: str, alike: bool, columns: int, language: str) -> Markup:
    return html(
        '<tr class="ts-settings-group{}"><th scope="colgroup" colspan="{}"><code>{}</code></th></tr>',
        " ts-same" if alike else "",
        columns,
        name,
    )


def _setting(entry: Setting, base: int, heads: Sequence[str]) -> Markup:
    """One row: the entry's last keys, indented below its group; what is not as in the baseline stands out."""
    path = entry.path[1:] or entry.path
    cells = join(
        html(
            '<td data-label="{}"{}><div>{}</div></td>',
            head,
            Markup(' class="ts-differs"') if value != entry.values[base] else Markup(),
            _value(value),
        )
        for head, value in zip(heads[1:], entry.values, strict=True)
    )
    return html(
        '<tr class="{}"><th scope="row" style="--depth: {}"><code title="{}">{}</code></th>{}</tr>',
        "ts-same" if entry.same else "ts-other",
        len(entry.path) - 1,
        ".".join(entry.path),
        ".".join(path),
        cells,
    )


def _value(value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def answers(studio: Studio, shown: Comparison, language: str) -> Markup:
    """The newest answers to the fixed prompts, the runs beside each other, the baseline first."""
    rows = comparison.answers(studio, shown.jobs)
    title = html("<h2>{}</h2>", say("runs.answers", language))
    if not rows:
        return html('{}<p class="ts-muted">{}</p>', title, say("comparison.no_answers", language))
    order = sorted(range(len(shown.jobs)), key=lambda place: shown.jobs[place].id != shown.baseline)
    return html(
        "{}{}",
        title,
        join(
            html(
                '<section class="ts-card ts-compare-prompt"><p class="ts-prompt" dir="auto">{}</p>'
                '<div class="ts-compare-answers">{}</div></section>',
                prompt,
                join(_answer(shown.jobs[place], place, given, language) for place in order),
            )
            for prompt, given in rows
        ),
    )


def _answer(job: Job, place: int, given: dict[int, dict[str, Any]], language: str) -> Markup:
    answer = given.get(job.id)
    name = html('<span class="ts-compared">{}{} · {}</span>', swatch(place), job.id, job.name)
    if answer is None:
        return html('<article><header>{}</header><p class="ts-muted">{}</p></article>', name, NOTHING)
    when = say(f"runs.answer_{answer['when']}", language)
    return html(
        '<article><header>{} <span class="ts-muted">{} · {}</span></header><div class="ts-answer" dir="auto">{}'
        "</div></article>",
        name,
        when,
        say("runs.at_step", language, step=number(answer["step"])),
        answer["answer"] or NOTHING,
    )
