"""The order of the queue: where a job stands, and moving it. Which job starts next on what is in ``queue``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job

ORDER = (Job.priority.desc(), Job.position)
"""In which queued jobs start: higher priority first, then as they were put in or moved."""
# One digit each way: enough steps to order by hand, and a column of the list holds it.
HIGHEST_PRIORITY = 9

Place = Literal["first", "up", "down", "last"]


def position(studio: Studio, job: Job) -> int:
    """1 for the queued job that starts next. The chat worker does not count."""
    before = or_(Job.priority > job.priority, (Job.priority == job.priority) & (Job.position < job.position))
    ahead = select(func.count()).where(Job.state == State.QUEUED, Job.kind == job.kind, before)
    with studio.db.read() as session:
        return (session.scalar(ahead) or 0) + 1


def positions(studio: Studio, jobs: Sequence[Job]) -> dict[int, int]:
    """The position of each job; of many in one query."""
    if len(jobs) == 1:
        return {jobs[0].id: position(studio, jobs[0])}
    # By kind, as in ``position``: the chat worker's place is no concern of a training.
    place = func.row_number().over(partition_by=Job.kind, order_by=ORDER)
    with studio.db.read() as session:
        placed = session.execute(select(Job.id, place).where(Job.state == State.QUEUED))
        found = {id: n for id, n in placed}  # noqa: C416 - a row is no pair to mypy
    return {job.id: found.get(job.id, 1) for job in jobs}  # One may have been started meanwhile.


def move(studio: Studio, job_id: int, place: Place) -> None:
    """Let a queued job start earlier or later than others of its priority and kind."""
    with studio.db.write() as session:
        job = _require_queued(session, job_id)
        peers = list(
            session.scalars(
                select(Job)
                .where(Job.state == State.QUEUED, Job.priority == job.priority, Job.kind == job.kind)
                .order_by(Job.position)
            )
        )
        at = peers.index(job)
        to = {"first": 0, "up": max(0, at - 1), "down": min(len(peers) - 1, at + 1), "last": len(peers) - 1}
        if place not in to:
            raise BadInput("queue_place", place=place)
        # The same places are dealt out anew, so that jobs of other priorities
        # and kinds stay where they are.
        places = [peer.position for peer in peers]
        peers.insert(to[place], peers.pop(at))
        for peer, position in zip(peers, places, strict=True):
            peer.position = position


def set_priority(studio: Studio, job_id: int, priority: int) -> None:
    """Higher starts first; from -9 to 9, normally 0."""
    check_priority(priority)
    with studio.db.write() as session:
        _require_queued(session, job_id).priority = priority


def check_priority(priority: int) -> None:
    if not -HIGHEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
        raise BadInput(
            "queue_priority", priority=priority, lowest=-HIGHEST_PRIORITY, highest=HIGHEST_PRIORITY
        )


def _require_queued(session: Session, job_id: int) -> Job:
    job = require(session, job_id)
    if job.state != State.QUEUED:
        raise Conflict("queue_begun", job=job_id, state=job.state)
    return job


def require(session: Session, job_id: int) -> Job:
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound("job_not_found", job=job_id)
    return job
