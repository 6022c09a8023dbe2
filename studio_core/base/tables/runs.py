"""Tables of runs: the queue, what runs report, the devices that they are on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from studio_core.base.states import TERMINAL, State
from studio_core.base.tables.base import Table, now

# From the enum, so that the database refuses what the code does not know.
_TERMINAL_SQL = ", ".join(sorted(f"'{state.value}'" for state in TERMINAL))
_STATES_SQL = ", ".join(f"'{state.value}'" for state in State)


class Job(Table):
    """One row in the queue, and afterwards the record of what came of it."""

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES_SQL})", name="state"),
        CheckConstraint(
            f"(finished_at IS NOT NULL) = (state IN ({_TERMINAL_SQL}))", name="finished_iff_terminal"
        ),
        # What the engine asks after each commit: waiting jobs in their order.
        Index("ix_job_order", "state", "priority", "position"),
        # Lists and counts of one kind, with 10,000 jobs in 20 ms.
        Index("ix_job_kind", "kind", "state"),
        # Each waiting job that names another one looks for that one's newest continuation.
        Index("ix_job_resumes", "resumes_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """``train``, ``data`` or ``serve``."""
    name: Mapped[str]
    method: Mapped[str | None]
    """Of a training its method, of a job on data its operation."""
    spec: Mapped[dict[str, Any]]
    """The ``studio_core.runs.spec`` document: what the form, the YAML file and the command line fill in."""
    state: Mapped[str] = mapped_column(default=State.QUEUED.value)
    cause: Mapped[str | None]
    """A ``states.Cause``, once the job ended otherwise than by finishing."""
    detail: Mapped[str | None]
    """The sentence that goes with the cause."""
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    position: Mapped[int]
    """Order among jobs of the same priority; lower starts first."""
    priority: Mapped[int] = mapped_column(server_default="0", default=0)
    """Higher starts first."""
    after_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    """The job that must have succeeded before this one starts."""
    claim_token: Mapped[str | None]
    """Changes with every claim; a write that names an old one changes nothing."""
    stop_request: Mapped[str | None]
    """A ``states.Stop`` that the user asked for."""
    resumes_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    """The job whose newest checkpoint this one starts from."""
    run_dir: Mapped[str | None]
    phase: Mapped[str | None]
    """What the run is doing now: loading, preparing, training, saving, serving."""
    step: Mapped[int] = mapped_column(default=0)
    total_steps: Mapped[int | None]
    latest: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The newest value of each metric."""
    resolved: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What the worker reported about itself: device, precision, effective batch, versions."""
    peak_memory: Mapped[int | None]
    """Most bytes that its process held so far: of the GPU, or of the machine without one."""
    events_offset: Mapped[int] = mapped_column(default=0)
    """Bytes of ``events.jsonl`` that are in the database already."""
    submitted_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobEvent(Table):
    """Every change of a job's state, with its cause; append-only."""

    __tablename__ = "job_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=now)
    before: Mapped[str | None]
    after: Mapped[str]
    cause: Mapped[str | None]


class Metric(Table):
    """One report of a run: all values of one step."""

    __tablename__ = "metric"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    """Number of the line in ``events.jsonl``: the same line never counts twice."""
    step: Mapped[int]
    at: Mapped[datetime]
    values: Mapped[dict[str, Any]]
    """``{"loss": 1.25, ...}``; a value that was not a finite number is null."""


class MetricStretch(Table):
    """What a chart keeps of many reports in a row, so that a long run is drawn without reading all of it."""

    __tablename__ = "metric_stretch"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    level: Mapped[int] = mapped_column(primary_key=True)
    """0: made of a few reports; above: of a few stretches of the level below."""
    last_seq: Mapped[int] = mapped_column(primary_key=True)
    """Number of the newest report in it."""
    last_step: Mapped[int]
    lines: Mapped[dict[str, Any]]
    """``{"loss": [[step, value], ...]}``: the lowest, the highest, and a gap if there was one."""


class RunNote(Table):
    """Other lines that a run reported: answers to the fixed prompts, checkpoints, notices."""

    __tablename__ = "run_note"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    type: Mapped[str]
    """``sample``, ``checkpoint``, ``notice`` or ``error``."""
    body: Mapped[dict[str, Any]]


class QueueControl(Table):
    """One row: whether the queue is paused. Runs that have begun go on."""

    __tablename__ = "queue_control"
    # A pause that stood in a second row would be seen by some and not by others.
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    paused: Mapped[bool] = mapped_column(default=False)


# Not zero and not a size: such a slot is never free, and a page can say why.
UNREACHABLE = -1
"""``Device.foreign_memory`` of a GPU that does not answer: it is not offered to any run."""


class Device(Table):
    """A slot that one job holds at a time. A job on several GPUs holds several slots."""

    __tablename__ = "device"

    id: Mapped[str] = mapped_column(primary_key=True)
    """A GPU's UUID (``UUID#2`` for a second run on it), ``cpu:0``, or ``serve:0``."""
    kind: Mapped[str]
    """``gpu``, ``cpu``, ``data`` or ``serve``."""
    label: Mapped[str]
    memory: Mapped[int] = mapped_column(default=0)
    """Bytes in all; 0 if not known."""
    foreign_memory: Mapped[int] = mapped_column(server_default="0", default=0)
    """Bytes of this GPU that other programs fill; 0 if it is free for the studio; or ``UNREACHABLE``."""
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
