"""Lines of a chart that are short enough to draw and hide no peak, whatever the length of the run.

Every ``STRETCH`` reports are condensed once, as they are stored: to the lowest and the highest
value of each metric, and to a gap where a value was not a number. A run of half a million
steps is drawn from 2,000 such rows and the few reports after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from studio_core.studio import Studio
from studio_core.tables import Metric, MetricStretch

STRETCH = 256

Point = tuple[int, float | None]
"""A step and a value; None where the run reported what was no number."""
Lines = dict[str, list[Point]]


@dataclass(frozen=True)
class Outline:
    lines: Lines
    seq: int
    """Number of the newest report that is in it."""


def condense(session: Session, job_id: int) -> None:
    """Condense what a run reported since the last stretch, as far as there are whole stretches."""
    newest = select(func.max(MetricStretch.last_seq)).where(MetricStretch.job_id == job_id)
    end = session.scalar(newest) or 0
    while (last := session.scalar(_after(job_id, end).offset(STRETCH - 1).limit(1))) is not None:
        query = select(Metric.step, Metric.values).where(
            Metric.job_id == job_id, Metric.seq > end, Metric.seq <= last
        )
        rows = session.execute(query.order_by(Metric.seq)).all()
        kept = {name: salient(line) for name, line in lines_of(rows).items()}
        session.add(MetricStretch(job_id=job_id, last_seq=last, last_step=rows[-1].step, lines=kept))
        session.flush()
        end = last


def _after(job_id: int, seq: int) -> Any:
    return select(Metric.seq).where(Metric.job_id == job_id, Metric.seq > seq).order_by(Metric.seq)


def outline(studio: Studio, job_id: int, until: int | None = None) -> Outline:
    """What a run reported, condensed as far as it has been; up to the step ``until`` and no further."""
    stretches = select(MetricStretch.last_seq, MetricStretch.lines).where(
        MetricStretch.job_id == job_id, *_up_to(MetricStretch.last_step, until)
    )
    lines: Lines = {}
    seq = 0
    with studio.db.read() as session:
        for seq, kept in session.execute(stretches.order_by(MetricStretch.last_seq)):  # noqa: B007
            for name, line in kept.items():
                lines.setdefault(name, []).extend((step, value) for step, value in line)
        rest = select(Metric.step, Metric.values, Metric.seq).where(
            Metric.job_id == job_id, Metric.seq > seq, *_up_to(Metric.step, until)
        )
        rows = session.execute(rest.order_by(Metric.seq)).all()
    for name, line in lines_of(rows).items():
        lines.setdefault(name, []).extend(line)
    return Outline(lines, rows[-1].seq if rows else seq)


def _up_to(column: Any, until: int | None) -> list[ColumnElement[bool]]:
    return [] if until is None else [column <= until]


def lines_of(reports: Iterable[Any]) -> Lines:
    """The line of each metric in reports that have a ``step`` and ``values``."""
    lines: Lines = {}
    for report in reports:
        for name, value in report.values.items():
            lines.setdefault(name, []).append((report.step, value))
    return lines


def salient(line: Sequence[Point]) -> list[Point]:
    """The lowest, the highest and the first gap of a stretch, in its order."""
    solid = [(value, place) for place, (_, value) in enumerate(line) if value is not None]
    kept = {min(solid)[1], max(solid)[1]} if solid else set()
    gap = next((place for place, (_, value) in enumerate(line) if value is None), None)
    return [line[place] for place in sorted(kept if gap is None else kept | {gap})]


def thinned(line: Sequence[Point], limit: int) -> list[Point]:
    """At most ``limit`` points that look like the whole line: its ends, and what is salient between them."""
    if len(line) <= limit:
        return list(line)
    inner = line[1:-1]
    stretches = (limit - 2) // (3 if any(value is None for _, value in line) else 2)
    kept = [line[0]]
    for number in range(stretches):
        begin, end = (at * len(inner) // stretches for at in (number, number + 1))
        kept += salient(inner[begin:end])
    return [*kept, line[-1]]
