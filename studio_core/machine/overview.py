"""What the start page says: where a person stands in the loop, what happened last, and the machine."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
from sqlalchemy import func, select

from studio_core.base.states import LIVE, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Chat, Dataset, Device, Job, LabelProject, Model, Vote
from studio_core.labeling.assignment import current, human
from studio_core.runs import metrics, queue
from studio_core.runs.metrics import Recent

# Fits on the start page of a laptop without scrolling.
SHOWN = 5


@dataclass(frozen=True)
class Overview:
    """Counts along the loop, and the newest runs and models."""

    datasets: int
    """Names, each counted once whatever its versions."""
    rows: int
    models: int
    trained: int
    runs: int
    running: int
    queued: int
    succeeded: int
    chats: int
    votes: int
    """In chats."""
    projects: int
    labels: int
    """Votes of people in labelling projects that stand."""
    recent_runs: Sequence[Job]
    recent_means: dict[int, Recent]
    """Of each of these runs that has reported anything."""
    recent_models: Sequence[Model]


def overview(studio: Studio) -> Overview:
    """The loop at this moment."""
    states = queue.counts(studio, "train")
    with studio.db.read() as session:
        # A dataset counts once, with the rows of its newest version.
        newest = select(func.max(Dataset.id)).group_by(Dataset.name)
        datasets, rows = session.execute(
            select(func.count(), func.coalesce(func.sum(Dataset.rows), 0)).where(Dataset.id.in_(newest))
        ).one()
        runs = select(Job).where(Job.kind == "train").order_by(Job.id.desc()).limit(SHOWN)
        trained = select(Model).where(Model.job_id.is_not(None)).order_by(Model.id.desc()).limit(SHOWN)
        newest_runs = session.scalars(runs).all()
        return Overview(
            datasets=int(datasets),
            rows=int(rows),
            models=session.scalar(select(func.count()).select_from(Model)) or 0,
            trained=session.scalar(select(func.count()).where(Model.job_id.is_not(None))) or 0,
            runs=sum(states.values()),
            running=sum(states.get(state, 0) for state in LIVE),
            queued=states.get(State.QUEUED, 0),
            succeeded=states.get(State.SUCCEEDED, 0),
            chats=session.scalar(select(func.count()).select_from(Chat)) or 0,
            votes=session.scalar(select(func.count()).where(Vote.superseded_by_id.is_(None))) or 0,
            projects=session.scalar(select(func.count()).select_from(LabelProject)) or 0,
            labels=session.scalar(select(func.count()).where(human(), current())) or 0,
            recent_runs=newest_runs,
            recent_means=metrics.recent(studio, newest_runs),
            recent_models=session.scalars(trained).all(),
        )


@dataclass(frozen=True)
class Machine:
    """This machine, as far as training cares; sizes in bytes."""

    cores: int
    memory: int
    memory_free: int
    disk_free: int
    gpus: Sequence[Device]
    """As the engine found them."""


def machine(studio: Studio) -> Machine:
    """What there is to train on."""
    memory = psutil.virtual_memory()
    return Machine(
        cores=psutil.cpu_count() or 1,
        memory=int(memory.total),
        memory_free=int(memory.available),
        disk_free=shutil.disk_usage(studio.settings.home).free,
        gpus=[device for device in queue.devices(studio) if device.kind == "gpu"],
    )
