"""Lines of a chart that are short enough to draw and hide no peak, whatever the length of the run.

Reports are condensed as they are stored: 16 in a row to the lowest and the highest value of each
metric, and to a gap where a value was not a number; then four of these to one, and so on. A chart
is drawn from the level that has at most a thousand of them, and from the few reports that follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, union
from sqlalchemy.orm import Session

from studio_core.base.studio import Studio
from studio_core.base.tables import Metric, MetricStretch

# Few enough that the tail which is read raw stays short, enough that
# the first level is far smaller than the run.
STRETCH = 16
"""Reports of a stretch of level 0."""
FACTOR = 4
"""Stretches of a level that make one of the next."""
# The seventh has 65,536 reports to a stretch, 16 times 4 to the
# sixth: a thousand of these are the 65 million of MOST.
LEVELS = 7
AT_ONCE = 250
"""Stretches of a level that are made in one transaction: a run of an older studio may have very many."""
MOST = 1_000
"""Stretches that are read at most for a chart, up to 65 million reports."""
# So many are read and drawn in a moment; condensed lines would only hide details.
RAW = 4
"""Up to so many times the stretches that may be read a run is drawn from all its reports."""

Point = tuple[int, float | None]
"""A step and a value; None where the run reported what was no number."""
Lines = dict[str, list[Point]]


@dataclass(frozen=True)
class Outline:
    lines: Lines
    seq: int
    """Number of the newest report that is in it."""


def condense(session: Session, job_id: int) -> bool:
    """Condense what a run reported since it was last condensed, as far as there are whole stretches.

    Whether there was any; perhaps there is more then.
    """
    made = [_condense(session, job_id, 0)]
    # A level can have grown only if the one below it did.
    while made[-1] and len(made) < LEVELS:
        made.append(_condense(session, job_id, len(made)))
    return made[0]


def _condense(session: Session, job_id: int, level: int) -> bool:
    """Make what stretches of one level can be made; whether there was one."""
    newest = select(func.max(MetricStretch.last_seq)).where(*_stretches(job_id, level))
    end = session.scalar(newest) or 0
    made: list[dict[str, Any]] = []
    while len(made) < AT_ONCE and (part := _next(session, job_id, level, end)):
        end, last_step, lines = part
        kept = {name: extremes(line) for name, line in lines.items()}
        made.append(
            {"job_id": job_id, "level": level, "last_seq": end, "last_step": last_step, "lines": kept}
        )
    if made:
        session.execute(insert(MetricStretch), made)
    return bool(made)


def _next(session: Session, job_id: int, level: int, after: int) -> tuple[int, int, Lines] | None:
    """What the next stretch of a level is made of, with the number and the step of its last report."""
    query: Any
    if level == 0:
        query, count = select(Metric.seq, Metric.step, Metric.values).where(Metric.job_id == job_id), STRETCH
        number = Metric.seq
    else:
        query, count = select(MetricStretch.last_seq, MetricStretch.last_step, MetricStretch.lines), FACTOR
        query, number = query.where(*_stretches(job_id, level - 1)), MetricStretch.last_seq
    rows = session.execute(query.where(number > after).order_by(number).limit(count)).all()
    if len(rows) < count:
        return None
    return rows[-1][0], rows[-1][1], lines_of(rows) if level == 0 else join_lines(row.lines for row in rows)


def _stretches(job_id: int, level: int) -> list[ColumnElement[bool]]:
    return [MetricStretch.job_id == job_id, MetricStretch.level == level]


def outline(studio: Studio, job_id: int, until: int | None = None, most: int = MOST) -> Outline:
    """What a run reported, condensed to at most ``most`` stretches; up to the step ``until`` and no further.

    What follows the last whole stretch is read from the finer levels, and the last few reports as they are.
    """
    with studio.db.read() as session:
        level, kept = _level(session, job_id, most), list[Any]()
        # Every other level of the finer ones: some rows more, and half the queries.
        for finer in range(level, -1, -2):
            stretches = select(MetricStretch.last_seq, MetricStretch.lines).where(
                *_stretches(job_id, finer),
                MetricStretch.last_seq > (kept[-1].last_seq if kept else 0),
                *_up_to(MetricStretch.last_step, until),
            )
            kept += session.execute(stretches.order_by(MetricStretch.last_seq)).all()
        seq = kept[-1].last_seq if kept else 0
        rest = select(Metric.step, Metric.values, Metric.seq).where(
            Metric.job_id == job_id, Metric.seq > seq, *_up_to(Metric.step, until)
        )
        rows = session.execute(rest.order_by(Metric.seq)).all()
    return Outline(join_lines([*(row.lines for row in kept), lines_of(rows)]), rows[-1].seq if rows else seq)


def _level(session: Session, job_id: int, most: int) -> int:
    """The finest level that stays below ``most`` stretches; -1 for a run that is short enough to be read raw.

    A run that is too long for all levels gets the coarsest.
    """
    count = session.scalar(select(func.max(Metric.seq)).where(Metric.job_id == job_id)) or 0
    if count <= most * RAW:
        return -1
    return next((n for n in range(LEVELS) if count <= most * STRETCH * FACTOR**n), LEVELS - 1)


def moments(studio: Studio, job_id: int, most: int = MOST) -> list[tuple[int, datetime]]:
    """When a run had come to which step, rising: of each report, or of a long run at the end of each stretch."""
    reports = select(Metric.step, Metric.at).where(Metric.job_id == job_id)
    with studio.db.read() as session:
        level = _level(session, job_id, most)
        if level < 0:
            return [(row.step, row.at) for row in session.execute(reports.order_by(Metric.seq))]
        ends = select(MetricStretch.last_seq).where(*_stretches(job_id, level))
        newest = select(func.max(Metric.seq)).where(Metric.job_id == job_id)
        oldest = select(func.min(Metric.seq)).where(Metric.job_id == job_id)
        wanted = reports.where(Metric.seq.in_(union(ends, newest, oldest)))
        return [(row.step, row.at) for row in session.execute(wanted.order_by(Metric.seq))]


def _up_to(column: Any, until: int | None) -> list[ColumnElement[bool]]:
    return [] if until is None else [column <= until]


def lines_of(reports: Iterable[Any]) -> Lines:
    """The line of each metric in reports that have a ``step`` and ``values``."""
    lines: Lines = {}
    for report in reports:
        for name, value in report.values.items():
            lines.setdefault(name, []).append((report.step, value))
    return lines


def join_lines(parts: Iterable[Lines]) -> Lines:
    """Lines one after the other."""
    lines: Lines = {}
    for part in parts:
        for name, line in part.items():
            lines.setdefault(name, []).extend((step, value) for step, value in line)
    return lines


def extremes(line: Sequence[Point]) -> list[Point]:
    """The lowest, the highest and the first gap of a stretch, in its order."""
    solid = [(value, place) for place, (_, value) in enumerate(line) if value is not None]
    kept = {min(solid)[1], max(solid)[1]} if solid else set()
    gap = next((place for place, (_, value) in enumerate(line) if value is None), None)
    return [line[place] for place in sorted(kept if gap is None else kept | {gap})]


def thin(line: Sequence[Point], limit: int) -> list[Point]:
    """At most ``limit`` points that look like the whole line: its ends, and what is salient between them."""
    if len(line) <= limit:
        return list(line)
    inner = line[1:-1]
    # The two ends are set; each stretch leaves two points, or three where the line has gaps.
    stretches = (limit - 2) // (3 if any(value is None for _, value in line) else 2)
    kept = [line[0]]
    for number in range(stretches):
        begin, end = (at * len(inner) // stretches for at in (number, number + 1))
        kept += extremes(inner[begin:end])
    return [*kept, line[-1]]
