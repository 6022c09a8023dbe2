"""One sweep as it is seen: how its runs stand, and their values beside each other as parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from app.i18n import say
from app.parts.html import NOTHING, badge, difference, duration, html, join, notice, number, size, stat, table
from studio_core.base.states import LIVE, TERMINAL, State
from studio_core.base.tables import Job
from studio_core.training.comparison import MOST_RUNS
from studio_core.training.sampling import LEARNS
from studio_core.training.standings import Standing, Table, usual
from studio_core.training.sweeps import SweepPlan, search_of

_SHOWN_PROBLEMS = 5
_HEIGHT, _TOP, _BOTTOM, _APART, _SIDE = 280, 34, 20, 190, 90
"""Of the drawing, in pixels: its height, room above and below the axes, between them, and beside them."""
_WIDE_RANGE = 10
"""Positive values whose ends differ by more than this factor stand on a logarithmic axis, as they are drawn."""
_MARK = 15
"""Pixels that a mark's text takes."""


def head(sweep: str, jobs: Sequence[Job], language: str) -> Markup:
    """What is tried, on what, and how far it is."""
    first = jobs[0]
    going = sum(job.state in LIVE for job in jobs)
    waiting = sum(job.state == State.QUEUED for job in jobs)
    over = sum(job.state in TERMINAL for job in jobs)
    what = f"{(first.method or '').upper()} · {first.spec.get('model')} ← {first.spec.get('dataset')}"
    return html(
        '<div class="ts-row"><a class="ts-muted" href="/runs">{}</a></div><h1>{}</h1>'
        '<p class="ts-muted">{}</p><p>{} {}</p>',
        say("runs.all", language),
        say("sweeps.title", language, sweep=sweep),
        what,
        say("sweeps.progress", language, runs=len(jobs), going=going, waiting=waiting, over=over),
        _draws(jobs, language),
    )


def _draws(jobs: Sequence[Job], language: str) -> str:
    """What is still to be drawn, and how to end that; empty where all runs are queued."""
    search = search_of(jobs[0])
    if search is None or search.sampler != LEARNS or len(jobs) >= search.trials:
        return ""
    return say("sweeps.draws", language, trials=search.trials, metric=search.metric or usual(jobs))


def others(sweeps: Sequence[tuple[str, Job]], language: str) -> Markup:
    """The way to sweeps that there are already."""
    if not sweeps:
        return Markup()
    links = join(
        (
            html('<a href="/runs?sweep={0}">{0}</a> ({1})', name, (job.method or "").upper())
            for name, job in sweeps
        ),
        " · ",
    )
    return html('<p class="ts-muted" id="sweep-others">{} {}</p>', say("sweeps.others", language), links)


def plan(told: SweepPlan, language: str) -> Markup:
    """Runs, time and disk of a sweep that is not started yet, and what stands in its way."""
    seconds = None if told.seconds is None else told.seconds / told.at_once
    figures = [
        stat(
            say("sweeps.runs", language),
            number(len(told.runs) + told.later),
            say("sweeps.later", language, n=told.later) if told.later else "",
        ),
        stat(
            say("sweeps.time", language),
            duration(seconds, language) if seconds is not None else NOTHING,
            say("sweeps.at_once", language, n=told.at_once),
        ),
        stat(say("sweeps.disk", language), size(told.disk)),
    ]
    problems = join(
        notice("bad", f"{_told(values)}: {error.sentence(language)}")
        for values, error in told.problems[:_SHOWN_PROBLEMS]
    )
    return html(
        '<div class="ts-card ts-sweep-plan" data-ready="{}">{}</div>{}',
        str(told.ready).lower(),
        join(figures),
        problems,
    )


def _told(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def standings(sweep: str, shown: Table, language: str, pinned: str = "") -> Markup:
    """The metrics to order by, and the combinations in that order with the spread over their seeds.

    ``pinned`` is the number of a run; its combination is the baseline that the others are told beside.
    """
    base = next((row for row in shown.rows if pinned in {str(job.id) for job in row.jobs}), None)
    order = join(
        html(
            '<a class="ts-button" href="{}"{}>{}</a>',
            _address(sweep, name, base),
            Markup(' aria-current="page"') if name == shown.metric else Markup(),
            name,
        )
        for name in shown.metrics
    )
    notes = [say("sweeps.lower" if shown.lower else "sweeps.higher", language, metric=shown.metric)]
    if shown.step is not None:
        notes.append(say("sweeps.at_step", language, step=number(shown.step)))
    if base is not None:
        notes.append(say("sweeps.baseline_note", language, run=base.jobs[0].id))
    names = list(dict.fromkeys(name for row in shown.rows for name in row.values))
    heads = [
        say("sweeps.col_place", language),
        *names,
        shown.metric,
        say("sweeps.col_runs", language),
        say("comparison.col_actions", language),
    ]
    rows = [
        [
            place,
            *(_value(row.values.get(name, NOTHING)) for name in names),
            _figure(row, base, language),
            _runs(row, language),
            _pin(row, base, _address(sweep, shown.metric, row), language),
        ]
        for place, row in enumerate(shown.rows, 1)
    ]
    return html(
        '<nav class="ts-row ts-narrow" aria-label="{0}"><span class="ts-muted">{0}</span>{1}</nav>{2}'
        '<p class="ts-muted">{3}</p><p>{4}</p>',
        say("sweeps.order", language),
        order,
        table(heads, rows),
        " ".join(notes),
        _compare(shown, base, language),
    )


def _address(sweep: str, metric: str, base: Standing | None) -> str:
    """Of the sweep by a metric, with its baseline: what is seen can be sent on."""
    asked = {"sweep": sweep, "metric": metric, **({"baseline": str(base.jobs[0].id)} if base else {})}
    return f"/runs?{urlencode(asked)}"


def _figure(row: Standing, base: Standing | None, language: str) -> Markup | str:
    """The mean over seeds, its spread, and how far it is from the baseline's."""
    if row.mean is None:
        return NOTHING
    told = [number(row.mean)]
    if row.spread is not None:
        seeds = say("sweeps.seeds_of", language, n=len(row.figures))
        told.append(html('<span class="ts-muted">± {} ({})</span>', number(row.spread), seeds))
    if base is not None and base is not row and base.mean is not None:
        told.append(html('<span class="ts-sweep-off">{}</span>', difference(row.mean, base.mean)))
    return join(told, " ")


def _pin(row: Standing, base: Standing | None, address: str, language: str) -> Markup:
    if row is base:
        return html('<b class="ts-badge ts-badge-a">{}</b>', say("comparison.baseline", language))
    return html(
        '<a class="ts-button" href="{}" data-baseline="{}">{}</a>',
        address,
        row.jobs[0].id,
        say("comparison.pin", language),
    )


def _runs(row: Standing, language: str) -> Markup:
    return join(
        (
            html(
                '<span class="ts-sweep-run"><a href="/runs?run={0}" data-run="{0}">{0}</a> {1}{2}</span>',
                job.id,
                badge(job.state, language, job.cause),
                html(" {}/{}", number(job.step), number(job.total_steps)) if job.state in LIVE else Markup(),
            )
            for job in row.jobs
        ),
        " ",
    )


def _compare(shown: Table, base: Standing | None, language: str) -> Markup:
    best = [job.id for row in shown.rows for job in row.jobs][:MOST_RUNS]
    asked = {"compare": ",".join(map(str, best))}
    if base is not None and base.jobs[0].id in best:
        asked["baseline"] = str(base.jobs[0].id)
    return html(
        '<a class="ts-button" id="sweep-compare" href="/runs?{}">{}</a>',
        urlencode(asked, safe=","),
        say("sweeps.compare", language, n=len(best)),
    )


def parallel(shown: Table, language: str) -> Markup:
    """Each run as a line through its values and its metric; the best combination stands out."""
    names = [
        name
        for name in dict.fromkeys(name for row in shown.rows for name in row.values)
        if len({str(row.values.get(name)) for row in shown.rows}) > 1
    ]
    points = [
        (row, job, figure)
        for row in shown.rows
        for job in row.jobs
        if (figure := row.figures.get(job.id)) is not None
    ]
    if not names or not points:
        return Markup()
    axes = [_axis(name, [row.values.get(name) for row in shown.rows]) for name in names]
    axes.append(_axis(shown.metric, [figure for _, _, figure in points], flip=shown.lower))
    width = 2 * _SIDE + _APART * (len(axes) - 1)
    lines = join(
        _line(row, job, figure, axes, best=row is shown.rows[0])
        for row, job, figure in reversed(points)  # The best are drawn last, over the others.
    )
    drawn = join(_drawn(axis, place) for place, axis in enumerate(axes))
    return html(
        '<h2>{}</h2><div class="ts-card ts-parallel" tabindex="0"><svg viewBox="0 0 {w} {h}" style="min-width: {w}px"'
        ' role="group" aria-label="{}">{}{}</svg></div><p class="ts-muted">{}</p>',
        say("sweeps.parallel", language),
        say("sweeps.parallel", language),
        lines,
        drawn,
        say("sweeps.parallel_help", language),
        w=width,
        h=_HEIGHT,
    )


class _Axis:
    """One upright axis: where a value stands on it, and the values that are written beside it."""

    def __init__(self, name: str, marks: Sequence[tuple[float, str]], place: Callable[[Any], float]) -> None:
        self.name, self.marks, self.place = name, marks, place


def _axis(name: str, values: Sequence[Any], *, flip: bool = False) -> _Axis:
    """Numbers stand where they belong, other values evenly; with ``flip`` the lowest is on top, as the best."""
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if not numeric:
        words = list(dict.fromkeys(map(str, values)))
        shares = {word: (place + 0.5) / len(words) for place, word in enumerate(words)}
        return _Axis(
            name, [(share, word) for word, share in shares.items()], lambda value: shares[str(value)]
        )
    low, high = min(values), max(values)
    log = low > 0 and high / low > _WIDE_RANGE

    def place(value: float) -> float:
        if high == low:
            return 0.5
        share = math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
        return 1 - share if flip else share

    few = sorted(set(values)) if len(set(values)) <= 6 else [low, high]
    return _Axis(
        name,
        [
            (place(value), number(value) if isinstance(value, float) and value >= 0.001 else _value(value))
            for value in few
        ],
        place,
    )


def _readable(marks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """The marks whose texts do not overlap; those of both ends go first."""
    ordered = sorted(marks)
    kept: list[tuple[float, str]] = []
    for mark in [*ordered[-1:], *ordered[:1], *ordered[1:-1]]:
        if all(abs(_y(mark[0]) - _y(other[0])) >= _MARK for other in kept):
            kept.append(mark)
    return kept


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _line(row: Standing, job: Job, figure: float, axes: Sequence[_Axis], *, best: bool) -> Markup:
    values = [row.values.get(axis.name) for axis in axes[:-1]] + [figure]
    points = " ".join(
        f"{_SIDE + _APART * number_},{_y(axis.place(value)):.1f}"
        for number_, (axis, value) in enumerate(zip(axes, values, strict=True))
    )
    return html(
        '<a href="/runs?run={0}"><polyline class="ts-parallel-line{1}" points="{2}"/>'
        "<title>{0} · {3} · {4} {5}</title></a>",
        job.id,
        " ts-parallel-best" if best else "",
        points,
        _told(row.values),
        axes[-1].name,
        number(figure),
    )


def _drawn(axis: _Axis, place: int) -> Markup:
    x = _SIDE + _APART * place
    marks = join(
        html('<text x="{}" y="{:.1f}" class="ts-parallel-mark">{}</text>', x + 8, _y(share) + 4, word)
        for share, word in _readable(axis.marks)
    )
    return html(
        '<line x1="{x}" x2="{x}" y1="{}" y2="{}" class="ts-parallel-axis"/>'
        '<text x="{x}" y="16" class="ts-parallel-name" text-anchor="middle">{}</text>{}',
        _TOP,
        _HEIGHT - _BOTTOM,
        axis.name,
        marks,
        x=x,
    )
