"""What has happened that somebody may want to be told of, read from what the queue and the runs have written.

A change of state (``job_event``) and a notice of a run (``run_note``) are committed with what caused them, so that
nothing is lost if the engine dies before anybody was told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from studio_core.base import clock
from studio_core.base.states import LIVE, TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, JobEvent, RunNote
from studio_core.notices.rules import rule_of_notice, rule_of_state
from studio_core.runs import queue
from studio_core.runs.kinds import LISTED
from studio_core.runs.reasons import needs_person

LONG_WAIT = timedelta(hours=1)
UNTENDED = timedelta(minutes=5)
"""For so long a job may wait for a person before that person is told: they may be at it."""


@dataclass(frozen=True)
class Cause:
    """One thing that happened to a job."""

    id: str
    """The same whenever it is found again."""
    rule: str
    job: Job
    at: datetime
    event_id: int = 0
    """Of a change of state, its number."""
    note: dict[str, Any] | None = None
    """Of a notice of the run, its body."""


def newest_event(session: Session) -> int:
    return session.scalar(select(func.max(JobEvent.id))) or 0


def since(session: Session, event_id: int) -> list[Cause]:
    """Ends of jobs after that change of state, and notices of runs that go on or have ended since."""
    ends = (
        select(JobEvent, Job)
        .join(Job, Job.id == JobEvent.job_id)
        # What is cancelled before it began was somebody's click a moment ago.
        .where(JobEvent.id > event_id, JobEvent.after.in_(TERMINAL), JobEvent.before != State.QUEUED)
        .where(Job.kind.in_(LISTED))
        .order_by(JobEvent.id)
    )
    found, ended = [], []
    for event, job in session.execute(ends):
        ended.append(job.id)
        if rule := rule_of_state(event.after):
            found.append(Cause(f"event:{event.id}", rule, job, event.at, event_id=event.id))
    notes = (
        select(RunNote, Job)
        .join(Job, Job.id == RunNote.job_id)
        .where(RunNote.type == "notice", or_(Job.state.in_(LIVE), Job.id.in_(ended)))
        .order_by(RunNote.job_id, RunNote.seq)
    )
    told = [
        Cause(f"note:{job.id}:{note.seq}", rule, job, note.at, note=note.body)
        for note, job in session.execute(notes)
        if (rule := rule_of_notice(note.body))
    ]
    # A run's warnings before its end, which often is their doing.
    return [*told, *found]


def waits(studio: Studio) -> list[Cause]:
    """The first queued job that waits for somebody to do something, and the first that has waited for over an hour.

    Only the first: fifty runs of a sweep wait for the same thing.
    """
    now = clock.now()
    jobs = [job for job in queue.waiting(studio, limit=50) if job.kind in LISTED]
    untended = (job for job in jobs if now - job.submitted_at > UNTENDED and needs_person(studio, job))
    long = (job for job in jobs if now - job.submitted_at > LONG_WAIT)
    first = (("person", next(untended, None)), ("waits", next(long, None)))
    return [Cause(f"{rule}:{job.id}", rule, job, now) for rule, job in first if job is not None]
