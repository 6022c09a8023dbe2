"""The queue: rows that the web process writes and the engine acts on.

Every change of a job's state goes through ``_move``, which allows only the
transitions of ``states.TRANSITIONS`` and records an event. The engine's writes
carry the claim token: if the claim was lost meanwhile, they change nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from studio_core import clock
from studio_core.errors import Conflict, NotFound
from studio_core.states import LIVE, TERMINAL, TRANSITIONS, Cause, State, Stop
from studio_core.studio import Studio
from studio_core.tables import Device, Job, JobEvent


def submit(
    studio: Studio,
    *,
    kind: str,
    name: str,
    spec: dict[str, Any],
    method: str | None = None,
    idempotency_key: str | None = None,
    resumes_id: int | None = None,
) -> Job:
    """Put one job at the end of the queue. The same key twice gives the same job."""
    try:
        with studio.db.write() as session:
            existing = _by_key(session, idempotency_key)
            if existing:
                return existing
            last = session.scalar(select(func.max(Job.position))) or 0
            job = Job(
                kind=kind,
                name=name,
                method=method,
                spec=spec,
                position=last + 1,
                idempotency_key=idempotency_key,
                resumes_id=resumes_id,
            )
            session.add(job)
            session.flush()
            job.run_dir = str(studio.settings.runs / str(job.id))
            session.add(JobEvent(job_id=job.id, before=None, after=State.QUEUED, cause=None))
            return job
    except IntegrityError:  # pragma: no cover - BEGIN IMMEDIATE makes this unreachable on SQLite
        with studio.db.read() as session:
            job_again = _by_key(session, idempotency_key)
            assert job_again is not None
            return job_again


def _by_key(session: Session, key: str | None) -> Job | None:
    return session.scalar(select(Job).where(Job.idempotency_key == key)) if key else None


def get(studio: Studio, job_id: int) -> Job:
    with studio.db.read() as session:
        job = session.get(Job, job_id)
    if job is None:
        raise NotFound("job_not_found", job=job_id)
    return job


def all_jobs(studio: Studio, *, kind: str | None = None, limit: int = 200) -> Sequence[Job]:
    """The newest jobs, newest first."""
    query = select(Job).order_by(Job.id.desc()).limit(limit)
    with studio.db.read() as session:
        return session.scalars(query.where(Job.kind == kind) if kind else query).all()


def events(studio: Studio, job_id: int) -> Sequence[JobEvent]:
    with studio.db.read() as session:
        return session.scalars(select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.id)).all()


def live(studio: Studio) -> Sequence[Job]:
    with studio.db.read() as session:
        return session.scalars(select(Job).where(Job.state.in_(LIVE)).order_by(Job.id)).all()


def waiting(studio: Studio) -> Sequence[Job]:
    """Queued jobs, next one first."""
    with studio.db.read() as session:
        query = select(Job).where(Job.state == State.QUEUED).order_by(Job.position)
        return session.scalars(query).all()


def slot_kind(job: Job, slots: Sequence[Device]) -> str:
    """The kind of device that a job takes: a GPU where there is one, unless it asks for another."""
    if job.kind == "serve":
        return "serve"
    asked = job.spec.get("device", "auto")
    if asked in ("cpu", "gpu"):
        return str(asked)
    return "gpu" if any(slot.kind == "gpu" for slot in slots) else "cpu"


def next_for(studio: Studio, device: Device, slots: Sequence[Device]) -> Job | None:
    """The first queued job that takes such a device; reads no further than that."""
    query = (
        select(Job).where(Job.state == State.QUEUED).order_by(Job.position).execution_options(yield_per=50)
    )
    with studio.db.read() as session:
        waiting = session.scalars(query)
        return next((job for job in waiting if slot_kind(job, slots) == device.kind), None)


def position(studio: Studio, job: Job) -> int:
    """1 for the queued job that starts next."""
    ahead = select(func.count()).where(Job.state == State.QUEUED, Job.position < job.position)
    with studio.db.read() as session:
        return (session.scalar(ahead) or 0) + 1


def devices(studio: Studio) -> Sequence[Device]:
    with studio.db.read() as session:
        return session.scalars(select(Device).order_by(Device.id)).all()


def request_stop(studio: Studio, job_id: int, stop: Stop) -> Job:
    """Ask for a job's end. A queued job is cancelled at once; a live one by the engine."""
    with studio.db.write() as session:
        job = _require(session, job_id)
        if job.state in TERMINAL:
            raise Conflict("job_ended_already", job=job_id, state=job.state)
        if job.state == State.QUEUED:
            _move(session, job, State.CANCELLED, Cause.CANCELLED)
        elif job.stop_request != Stop.CANCEL:  # Cancel outranks Stop and save.
            job.stop_request = stop.value
        return job


# --- what follows is called by the engine only -------------------------------------------


def set_devices(studio: Studio, found: Sequence[Device]) -> None:
    """Make the device table equal to what is in this machine, keeping who holds what."""
    with studio.db.write() as session:
        known = {device.id: device for device in session.scalars(select(Device))}
        for device in found:
            if device.id in known:
                known[device.id].label, known[device.id].memory = device.label, device.memory
            else:
                session.add(device)
        for id in known.keys() - {device.id for device in found}:
            if known[id].job_id is None:
                session.delete(known[id])


def claim(studio: Studio, job_id: int, device_id: str) -> Job | None:
    """Take a queued job and a free device in one transaction; None if either was taken meanwhile."""
    with studio.db.write() as session:
        job, device = session.get(Job, job_id), session.get(Device, device_id)
        if job is None or device is None or job.state != State.QUEUED or device.job_id is not None:
            return None
        device.job_id = job.id
        job.claim_token = secrets.token_hex(8)
        _move(session, job, State.STARTING, None)
        return job


def release(studio: Studio, job: Job) -> bool:
    """Put a claimed job that never started back into the queue, at its old place."""
    return _guarded(studio, job, State.QUEUED, None, {"claim_token": None})


def started(studio: Studio, job: Job) -> bool:
    return _guarded(studio, job, State.RUNNING, None, {"started_at": clock.now()})


def stopping(studio: Studio, job: Job) -> bool:
    return _guarded(studio, job, State.STOPPING, None, {})


def finish(
    studio: Studio, job: Job, state: State, cause: Cause | None = None, detail: str | None = None
) -> bool:
    """The job's end. False if the claim was lost or it had ended already: then nothing was changed."""
    return _guarded(studio, job, state, cause, {"detail": detail})


def _guarded(studio: Studio, job: Job, state: State, cause: Cause | None, values: dict[str, Any]) -> bool:
    with studio.db.write() as session:
        current = session.get(Job, job.id)
        if current is None or current.claim_token != job.claim_token:
            return False
        if state not in TRANSITIONS[State(current.state)]:
            return False
        for name, value in values.items():
            setattr(current, name, value)
        _move(session, current, state, cause)
        return True


def _move(session: Session, job: Job, state: State, cause: Cause | None) -> None:
    before = State(job.state)
    if state not in TRANSITIONS[before]:
        raise Conflict("job_transition", job=job.id, before=before, after=state)
    job.state = state.value
    if cause is not None:
        job.cause = cause.value
    if state in TERMINAL:
        job.finished_at = clock.now()
    if state in TERMINAL or state == State.QUEUED:
        session.execute(update(Device).where(Device.job_id == job.id).values(job_id=None))
    session.add(JobEvent(job_id=job.id, before=before, after=state, cause=cause))


def _require(session: Session, job_id: int) -> Job:
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound("job_not_found", job=job_id)
    return job
