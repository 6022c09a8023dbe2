"""What runs reported: stored by the engine in the order of the lines, read by the pages."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert

from studio_core import texts
from studio_core.base import clock
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Metric, RunNote
from studio_core.runs import kinds, outline
from studio_core.runs.kinds import kind_of

# What a page shows one by one. Metrics have a table of their own; phase and config end in the job's row.
NOTE_TYPES = frozenset({"sample", "checkpoint", "notice", "error"})

PROGRESS = {"epoch": "epoch", "num_tokens": "tokens"}
"""What a report is stored with that tells how far the run was, by the names of its fields in the line."""


def store(studio: Studio, job_id: int, lines: Sequence[tuple[int, bytes]]) -> list[dict[str, Any]]:
    """Store lines of ``events.jsonl``, each with the offset after it; returns the parsed events.

    A line that is not an event (torn by a full disk) is passed over. A line stored before
    (same ``seq``) changes nothing, so that a crash between two stores cannot double a metric.
    """
    if not lines:
        return []
    parsed = [event for _, line in lines if (event := _parse(line))]
    with studio.db.write() as session:
        job = session.get_one(Job, job_id)
        # Rows and offset are committed together, so that lines up to the
        # offset are surely there, whoever sends them again.
        if lines[-1][0] <= job.events_offset:
            return []
        rows = [_metric(job_id, event) for event in parsed if event["type"] == "metrics"]
        notes = [_note(job_id, event) for event in parsed if event["type"] in NOTE_TYPES]
        if rows:
            session.execute(insert(Metric).on_conflict_do_nothing(), rows)
            outline.condense(session, job_id)
        if notes:
            session.execute(insert(RunNote).on_conflict_do_nothing(), notes)
        kinds.call(kind_of(job.kind).store, session, job, parsed)
        _summarise(job, parsed)
        job.events_offset = lines[-1][0]
    return parsed


def _summarise(job: Job, parsed: Sequence[dict[str, Any]]) -> None:
    # A copy, since SQLAlchemy sees a new object in a JSON column and not a change inside the old one.
    latest = dict(job.latest)
    for event in parsed:
        if isinstance(peak := event.get("peak_memory"), int):
            job.peak_memory = max(job.peak_memory or 0, peak)
        if event["type"] == "metrics":
            # Never backwards: an evaluation may report a step that the training has passed.
            job.step = max(job.step, event["step"])
            job.total_steps = event.get("total_steps") or job.total_steps
            latest.update(_values(event))
        elif event["type"] == "phase":
            job.phase = event["phase"]
        elif event["type"] == "config":
            job.resolved = event["values"]
    job.latest = latest


def _metric(job_id: int, event: dict[str, Any]) -> dict[str, Any]:
    at = clock.parse(event["at"])
    return {"job_id": job_id, "seq": event["seq"], "step": event["step"], "at": at, "values": _values(event)}


def _note(job_id: int, event: dict[str, Any]) -> dict[str, Any]:
    at = clock.parse(event["at"])
    return {"job_id": job_id, "seq": event["seq"], "at": at, "type": event["type"], "body": event}


def _values(event: dict[str, Any]) -> dict[str, float | None]:
    values = {name: _finite(value) for name, value in event["values"].items()}
    # Beside the values, since they are no measure of the run but how far it was: a chart can be drawn over them.
    for name, field in PROGRESS.items():
        if amount := _finite(event.get(field)):  # Zero where nobody counted.
            values[name] = amount
    return values


_FIELDS: dict[str, dict[str, type]] = {
    "metrics": {"step": int, "values": dict},
    "phase": {"phase": str},
    "config": {"values": dict},
}


def _parse(line: bytes) -> dict[str, Any] | None:
    """The event of a line, if it is one and has what its type needs."""
    try:
        # NaN and Infinity are no JSON to a browser; as null they make the gap that a chart shows.
        event = json.loads(line, parse_constant=lambda _: None)
        clock.parse(event["at"])
        required = {"seq": int, "type": str, **_FIELDS.get(event["type"], {})}
        return event if all(isinstance(event[name], kind) for name, kind in required.items()) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def points(studio: Studio, job_id: int, after_seq: int = 0, *, limit: int | None = None) -> Sequence[Metric]:
    """The reports of a run after ``after_seq``, in order."""
    query = select(Metric).where(Metric.job_id == job_id, Metric.seq > after_seq).order_by(Metric.seq)
    with studio.db.read() as session:
        return session.scalars(query.limit(limit)).all()


RECENT = 20
"""Reports whose mean stands for a run in headers and lists: one odd batch says little."""


@dataclass(frozen=True)
class Recent:
    """The last reports of a run, as one figure for each metric."""

    reports: int
    """At most ``RECENT``."""
    means: dict[str, float]


def recent(studio: Studio, jobs: Sequence[Job], count: int = RECENT) -> dict[int, Recent]:
    """Mean of each metric over the last reports of each job that has any."""
    # By number and not by a window over all reports: they are counted from 1, so that the index answers.
    newest = select(func.max(Metric.seq)).where(Metric.job_id == Job.id).correlate(Job).scalar_subquery()
    query = (
        select(Metric.job_id, Metric.values)
        .join(Job, Job.id == Metric.job_id)
        .where(Job.id.in_([job.id for job in jobs]), Metric.seq > newest - count)
    )
    reports: Counter[int] = Counter()
    lines: dict[int, dict[str, list[float]]] = {}
    with studio.db.read() as session:
        for job_id, values in session.execute(query):
            reports[job_id] += 1
            line = lines.setdefault(job_id, {})
            for name, value in values.items():
                if value is not None:
                    line.setdefault(name, []).append(value)
    return {
        job_id: Recent(reports[job_id], {name: sum(seen) / len(seen) for name, seen in line.items()})
        for job_id, line in lines.items()
    }


def notes(studio: Studio, job_id: int, type: str) -> Sequence[RunNote]:
    query = select(RunNote).where(RunNote.job_id == job_id, RunNote.type == type).order_by(RunNote.seq)
    with studio.db.read() as session:
        return session.scalars(query).all()


def warn(studio: Studio, job_id: int, key: str, **values: str) -> None:
    """A notice of level warning from the studio itself, of a run that has ended; the same twice is told once."""
    body = {"level": "warning", "key": key, "values": values}
    with studio.db.write() as session:
        told = session.scalars(select(RunNote).where(RunNote.job_id == job_id)).all()
        if any(note.type == "notice" and note.body.get("key") == key for note in told):
            return
        reported = session.scalar(select(func.max(Metric.seq)).where(Metric.job_id == job_id)) or 0
        # Behind all that the run itself has reported, whose lines are numbered alike.
        seq = 1 + max([reported, *(note.seq for note in told)])
        session.add(RunNote(job_id=job_id, seq=seq, at=clock.now(), type="notice", body=body))


def warnings(studio: Studio, jobs: Sequence[Job]) -> dict[int, list[dict[str, Any]]]:
    """The notices of level warning of each job that has any, the newest first: ``key`` and ``values``."""
    query = select(RunNote).where(RunNote.job_id.in_([job.id for job in jobs]), RunNote.type == "notice")
    told: dict[int, list[dict[str, Any]]] = {}
    with studio.db.read() as session:
        for note in session.scalars(query.order_by(RunNote.seq.desc())):
            if note.body.get("level") == "warning":
                told.setdefault(note.job_id, []).append(note.body)
    return told


def sentence(notice: dict[str, Any], language: str = texts.DEFAULT_LANGUAGE) -> str:
    """What a notice of a run says."""
    try:
        return texts.text(str(notice["key"]), language, **notice.get("values", {}))
    except (KeyError, TypeError, ValueError):  # A key of a newer version, say.
        return f"{notice.get('key')} {notice.get('values', '')}"


def count_notes(studio: Studio, job_id: int, type: str) -> int:
    query = select(func.count()).where(RunNote.job_id == job_id, RunNote.type == type)
    with studio.db.read() as session:
        return session.scalar(query) or 0
