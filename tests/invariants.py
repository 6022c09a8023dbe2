"""What must hold in a studio at every instant, whatever was killed: checked over and over by one ``Ledger``."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import func, select

from studio_core.base.states import LIVE, TERMINAL, TRANSITIONS, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Device, Job, JobEvent, Metric
from studio_core.runs import queue
from studio_core.runs.slots import card, devices_wanted

_LIVE = {state.value for state in LIVE}
_TERMINAL = {state.value for state in TERMINAL}


@dataclass
class Ledger:
    """Remembers what was acknowledged and what was final, and compares it with the database."""

    studio: Studio
    acknowledged: set[int] = field(default_factory=set)
    """Jobs whose submit came back."""
    final: dict[int, tuple[str, str | None, object]] = field(default_factory=dict)
    """State, cause and end of each job that was seen to be over."""
    newest: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Sequence number and step of the last metric that was seen of each job."""
    checks: int = 0

    def broken(self) -> list[str]:
        """Every invariant that does not hold now, as a sentence."""
        with self.studio.db.read() as session:
            jobs = {job.id: job for job in session.scalars(select(Job))}
            devices = list(session.scalars(select(Device)))
            ends = (
                select(JobEvent.job_id, func.count())
                .where(JobEvent.after.in_(_TERMINAL))
                .group_by(JobEvent.job_id)
            )
            endings: dict[int, int] = {id: n for id, n in session.execute(ends)}  # noqa: C416 - rows are no pairs to mypy
        found = [f"job {id} was acknowledged and is lost" for id in self.acknowledged - jobs.keys()]
        found += self._devices(jobs, devices)
        for job in jobs.values():
            found += self._states(job, endings.get(job.id, 0))
        for job in jobs.values():
            if job.state in _LIVE or job.id not in self.final:
                found += self._metrics(job.id)
        for job in jobs.values():
            if job.state in _TERMINAL and job.id not in self.final:
                self.final[job.id] = (job.state, job.cause, job.finished_at)
                found += self._history(job)
        self.checks += 1
        return found

    def _devices(self, jobs: dict[int, Job], devices: list[Device]) -> list[str]:
        found = []
        held: dict[int, list[str]] = {}
        for device in devices:
            if device.job_id is not None:
                held.setdefault(device.job_id, []).append(card(device))
                if jobs[device.job_id].state not in _LIVE:
                    found.append(f"{device.id} is held by job {device.job_id}, which is not live")
        for job in jobs.values():
            if job.state in _LIVE:
                cards = held.get(job.id, [])
                if len(set(cards)) != len(cards) or len(cards) != devices_wanted(job):
                    found.append(f"job {job.id} is {job.state} and holds {cards}")
        return found

    def _states(self, job: Job, endings: int) -> list[str]:
        found = []
        over = job.state in _TERMINAL
        if (job.finished_at is not None) != over:
            found.append(f"job {job.id} is {job.state} and its end is {job.finished_at}")
        if endings != int(over):
            found.append(f"job {job.id} is {job.state} and has {endings} terminal events")
        before = self.final.get(job.id)
        if before is not None and before != (job.state, job.cause, job.finished_at):
            found.append(f"job {job.id} was {before} and became {job.state}, {job.cause}, {job.finished_at}")
        if job.state in _LIVE and not job.claim_token:
            found.append(f"job {job.id} is {job.state} without a claim")
        return found

    def _metrics(self, job_id: int) -> list[str]:
        seq, step = self.newest.get(job_id, (0, 0))
        query = (
            select(Metric.seq, Metric.step)
            .where(Metric.job_id == job_id, Metric.seq > seq)
            .order_by(Metric.seq)
        )
        found = []
        with self.studio.db.read() as session:
            for later, following in session.execute(query):
                if following != step + 1:
                    found.append(f"job {job_id}: step {following} follows step {step}")
                seq, step = later, following
        self.newest[job_id] = (seq, step)
        return found

    def _history(self, job: Job) -> list[str]:
        """Each change of state begins where the one before ended, and is an allowed one."""
        found = []
        state: str | None = None
        for event in queue.events(self.studio, job.id):
            allowed = state is None or event.after in TRANSITIONS[State(state)]
            if event.before != state or not allowed:
                found.append(f"job {job.id}: {event.before} to {event.after} was recorded after {state}")
            state = event.after
        if state != job.state:
            found.append(f"job {job.id} is {job.state} and its last event says {state}")
        return found
