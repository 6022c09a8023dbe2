"""The queue: rows that the web process writes and the engine acts on.

Every change of a job's state goes through ``_move``, which allows only the
transitions of ``states.TRANSITIONS`` and records an event. The engine's writes
carry the claim token: if the claim was lost meanwhile, they change nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from studio_core.base import clock
from studio_core.base.errors import Conflict, NotFound
from studio_core.base.states import LIVE, TERMINAL, TRANSITIONS, Cause, State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Device, Job, JobEvent, QueueControl
from studio_core.runs.kinds import SERVICES, kind_of
from studio_core.runs.order import ORDER, check_priority, require
from studio_core.runs.slots import devices_wanted, on_different_cards, slot_kind


def submit(
    studio: Studio,
    *,
    kind: str,
    name: str,
    spec: dict[str, Any],
    method: str | None = None,
    idempotency_key: str | None = None,
    resumes_id: int | None = None,
    after_id: int | None = None,
    priority: int = 0,
) -> Job:
    """Put one job at the end of the queue. The same key twice gives the same job.

    With ``after_id`` it starts once that job, or one that resumed it, has succeeded.
    """
    check_priority(priority)
    try:
        with studio.db.write() as session:
            # In the transaction that inserts: a click that is sent twice, or
            # again after a lost answer, is one job.
            existing = _by_key(session, idempotency_key)
            if existing:
                return existing
            if after_id is not None:
                require(session, after_id)
            # Over all jobs and not only the queued ones, so that a place is never given twice.
            last = session.scalar(select(func.max(Job.position))) or 0
            job = Job(
                kind=kind,
                name=name,
                method=method,
                spec=spec,
                position=last + 1,
                idempotency_key=idempotency_key,
                resumes_id=resumes_id,
                after_id=after_id,
                priority=priority,
            )
            session.add(job)
            session.flush()
            # After the flush, which gives the number that the folder is called by.
            job.run_dir = str(studio.settings.runs / str(job.id))
            session.add(JobEvent(job_id=job.id, before=None, after=State.QUEUED, cause=None))
            return job
    except IntegrityError:  # pragma: no cover - BEGIN IMMEDIATE makes this unreachable on SQLite
        with studio.db.read() as session:
            job_again = _by_key(session, idempotency_key)
            assert job_again is not None
            return job_again


def submit_again(studio: Studio, job: Job, spec: dict[str, Any], key: str | None) -> Job:
    """A job that goes on from one that has ended: its name, kind and priority, with what ``spec`` says of where."""
    return submit(
        studio,
        kind=job.kind,
        name=job.name,
        method=job.method,
        spec=spec,
        idempotency_key=key,
        resumes_id=job.id,
        priority=job.priority,
    )


def _by_key(session: Session, key: str | None) -> Job | None:
    return session.scalar(select(Job).where(Job.idempotency_key == key)) if key else None


def get(studio: Studio, job_id: int) -> Job:
    with studio.db.read() as session:
        job = session.get(Job, job_id)
    if job is None:
        raise NotFound("job_not_found", job=job_id)
    return job


def get_all(studio: Studio, ids: Sequence[int]) -> list[Job]:
    """The jobs of these numbers, in their order; raises ``NotFound`` for the first that there is none of."""
    with studio.db.read() as session:
        known = {job.id: job for job in session.scalars(select(Job).where(Job.id.in_(ids)))}
    if missing := [id for id in ids if id not in known]:
        raise NotFound("job_not_found", job=missing[0])
    return [known[id] for id in ids]


def all_jobs(
    studio: Studio,
    *,
    kind: str | None = None,
    states: Sequence[State] = (),
    before: int | None = None,
    limit: int = 200,
) -> Sequence[Job]:
    """The newest jobs, newest first: of one kind, in some states, older than the job ``before``."""
    query = select(Job).order_by(Job.id.desc()).limit(limit)
    if kind:
        query = query.where(Job.kind == kind)
    if states:
        query = query.where(Job.state.in_(states))
    if before is not None:
        query = query.where(Job.id < before)
    with studio.db.read() as session:
        return session.scalars(query).all()


def counts(studio: Studio, kind: str) -> dict[State, int]:
    """How many jobs of a kind are in each state."""
    query = select(Job.state, func.count()).where(Job.kind == kind).group_by(Job.state)
    with studio.db.read() as session:
        return {State(state): n for state, n in session.execute(query)}


def events(studio: Studio, job_id: int) -> Sequence[JobEvent]:
    with studio.db.read() as session:
        return session.scalars(select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.id)).all()


def live(studio: Studio) -> Sequence[Job]:
    with studio.db.read() as session:
        return session.scalars(select(Job).where(Job.state.in_(LIVE)).order_by(Job.id)).all()


def oldest(studio: Studio) -> Job | None:
    with studio.db.read() as session:
        return session.scalar(select(Job).order_by(Job.id).limit(1))


def waiting(studio: Studio, *, limit: int | None = None) -> Sequence[Job]:
    """Queued jobs, next one first."""
    query = select(Job).where(Job.state == State.QUEUED).order_by(*ORDER).limit(limit)
    with studio.db.read() as session:
        return session.scalars(query).all()


def startable(studio: Studio, slots: Sequence[Device]) -> list[tuple[Job, list[Device]]]:
    """Which queued jobs can start now, and on which of the free slots, in the order of the queue.

    Nothing overtakes a job that waits for devices of its kind, so that a run on many GPUs is not
    starved by runs on one. A job that waits for another job lets the others pass. Reads no further
    than to the last job that could start.
    """
    free: dict[str, list[Device]] = {}
    for slot in slots:
        if slot.job_id is None and not slot.foreign_memory:
            free.setdefault(slot.kind, []).append(slot)
    found: list[tuple[Job, list[Device]]] = []
    # Fifty rows at a time: with thousands waiting the first ones nearly always take all slots.
    query = select(Job).where(Job.state == State.QUEUED).order_by(*ORDER).execution_options(yield_per=50)
    with studio.db.read() as session:
        if _paused(session):
            query = query.where(Job.kind.in_(SERVICES))
        for job in session.scalars(query) if free else ():
            kind = slot_kind(job, slots)
            # Its device first, which costs nothing; a predecessor is a query of its own.
            if kind not in free or not _predecessor_done(session, job):
                continue
            taken = on_different_cards(free[kind], devices_wanted(job))
            # The head of the queue waits for several cards: it keeps them all
            # from those behind it, or it would wait for ever.
            if taken is None:
                del free[kind]
            else:
                found.append((job, taken))
                free[kind] = [slot for slot in free[kind] if slot not in taken]
                if not free[kind]:
                    del free[kind]
            if not free:
                break
    return found


def predecessor(studio: Studio, job: Job) -> Job | None:
    """The job that this one waits for; of a resumed one its newest continuation."""
    with studio.db.read() as session:
        return _predecessor(session, job)


def last_of_chain(studio: Studio, job: Job) -> Job:
    """The newest job that resumed this one, directly or over others; itself if none did."""
    with studio.db.read() as session:
        return _last_of_chain(session, job)


def _predecessor(session: Session, job: Job) -> Job | None:
    earlier = session.get(Job, job.after_id) if job.after_id is not None else None
    return _last_of_chain(session, earlier) if earlier is not None else None


def _last_of_chain(session: Session, job: Job) -> Job:
    query = select(Job).where(Job.resumes_id == job.id).order_by(Job.id.desc()).limit(1)
    # Resumed runs can be resumed again; a chain is as long as somebody's patience.
    following = session.scalar(query)
    return _last_of_chain(session, following) if following is not None else job


def _predecessor_done(session: Session, job: Job) -> bool:
    earlier = _predecessor(session, job)
    return earlier is None or earlier.state == State.SUCCEEDED


def pause(studio: Studio, paused: bool = True) -> None:
    """Start nothing more until it is unpaused. What runs goes on, and so does the chat."""
    with studio.db.write() as session:
        session.merge(QueueControl(id=1, paused=paused))


def is_paused(studio: Studio) -> bool:
    with studio.db.read() as session:
        return _paused(session)


def _paused(session: Session) -> bool:
    control = session.get(QueueControl, 1)
    return control is not None and control.paused


def devices(studio: Studio) -> Sequence[Device]:
    with studio.db.read() as session:
        return session.scalars(select(Device).order_by(Device.id)).all()


def request_stop(studio: Studio, job_id: int, stop: Stop) -> Job:
    """Ask for a job's end. A queued job is cancelled at once; a live one by the engine."""
    with studio.db.write() as session:
        job = require(session, job_id)
        if job.state in TERMINAL:
            raise Conflict("job_ended_already", job=job_id, state=job.state)
        # No process has begun, so that no engine has to be alive for this.
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
                # What others held was true of an earlier start of the engine; it is
                # looked for again at once.
                known[device.id].foreign_memory = device.foreign_memory or 0
            else:
                session.add(device)
        # A card that is gone stays in the table while a job holds it: the
        # job's end frees it, and the next start removes it.
        for id in known.keys() - {device.id for device in found}:
            if known[id].job_id is None:
                session.delete(known[id])


def set_foreign_memory(studio: Studio, filled: Mapping[str, int]) -> None:
    """Note what other programs hold of GPUs, by the ids of their slots."""
    with studio.db.write() as session:
        for id, amount in filled.items():
            session.execute(update(Device).where(Device.id == id).values(foreign_memory=amount))


def claim(studio: Studio, job_id: int, device_ids: Sequence[str]) -> Job | None:
    """Take a queued job and free devices in one transaction; None if any was taken meanwhile."""
    with studio.db.write() as session:
        job = session.get(Job, job_id)
        taken = [session.get(Device, id) for id in device_ids]
        # All is asked again inside the write lock: since ``startable`` looked
        # somebody may have cancelled, paused or claimed.
        if job is None or job.state != State.QUEUED or (_paused(session) and not kind_of(job.kind).service):
            return None
        if not taken or any(device is None or device.job_id is not None for device in taken):
            return None
        for device in taken:
            assert device is not None
            device.job_id = job.id
        # 64 random bits: a start that was sent for an earlier claim can never match.
        job.claim_token = secrets.token_hex(8)
        _move(session, job, State.STARTING, None)
        return job


def change_spec(studio: Studio, job: Job, spec: dict[str, Any]) -> Job:
    """Make a claimed job's document exact before it is started."""
    with studio.db.write() as session:
        current = require(session, job.id)
        # As every write of the engine: nothing, once the claim is lost.
        if current.claim_token == job.claim_token:
            current.spec = spec
        return current


def release(studio: Studio, job: Job) -> bool:
    """Put a claimed job that never started back into the queue, at its old place."""
    return _move_claimed(studio, job, State.QUEUED, None, {"claim_token": None})


def mark_running(studio: Studio, job: Job) -> bool:
    return _move_claimed(studio, job, State.RUNNING, None, {"started_at": clock.now()})


def mark_stopping(studio: Studio, job: Job) -> bool:
    return _move_claimed(studio, job, State.STOPPING, None, {})


def finish(
    studio: Studio, job: Job, state: State, cause: Cause | None = None, detail: str | None = None
) -> bool:
    """The job's end. False if the claim was lost or it had ended already: then nothing was changed."""
    return _move_claimed(studio, job, state, cause, {"detail": detail})


def _move_claimed(
    studio: Studio, job: Job, state: State, cause: Cause | None, values: dict[str, Any]
) -> bool:
    with studio.db.write() as session:
        current = session.get(Job, job.id)
        if current is None or current.claim_token != job.claim_token:
            return False
        # No error here: a cancel may have ended the job first, and the caller hears it by the False.
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
    # In the same transaction as the state, so that no slot is held by a job that has ended.
    if state in TERMINAL or state == State.QUEUED:
        session.execute(update(Device).where(Device.job_id == job.id).values(job_id=None))
    session.add(JobEvent(job_id=job.id, before=before, after=state, cause=cause))
