"""Runs: what is found of them, and what a run leaves that others use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Float, cast, or_, select
from sqlalchemy.orm import Session

from studio_core.base.errors import BadInput
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Evaluation, Job, JobEvent, Metric, MetricStretch, Model, RunNote
from studio_core.keeping import models, uses
from studio_core.keeping.thing import Dependant, Thing
from studio_core.models.checkpoints import KEY
from studio_core.runs.kinds import LISTED

# Its model goes with it, whose files are in its folder.
_PARTS = (
    JobEvent.job_id,
    Metric.job_id,
    MetricStretch.job_id,
    RunNote.job_id,
    Evaluation.job_id,
    Model.job_id,
)
_AT_WORK = Job.state.not_in(TERMINAL)
LONGEST_NAME = 80
"""As long as the name of a spec."""


def rename(session: Session, job: Any, name: str) -> None:
    """The name of the run alone: a model that it made keeps its own."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise BadInput("keeping.bad_name", name=name[:LONGEST_NAME], longest=LONGEST_NAME)
    job.name = name


def dependants(session: Session, job: Any) -> Iterator[Dependant]:
    if job.state not in TERMINAL:
        yield Dependant("live", [uses.label(job)], blocks=True)
    following = or_(Job.after_id == job.id, Job.resumes_id == job.id)
    waiting = session.scalars(select(Job).where(following, _AT_WORK)).all()
    if waiting:
        yield Dependant("active", [uses.label(one) for one in waiting], blocks=True)
    for model in session.scalars(select(Model).where(Model.job_id == job.id)):
        yield Dependant("model", [model.name])
        yield from models.dependants(session, model)
    of_it = Model.details[KEY]["job"].as_integer() == job.id
    if kept := session.scalars(select(Model.name).where(of_it)).all():
        # Their files are in its folder.
        yield Dependant("checkpoints", kept, blocks=True)
    made = session.scalars(select(Dataset).where(Dataset.job_id == job.id)).all()
    if made:
        yield Dependant("datasets", [f"{one.name}@{one.version}" for one in made])


def files(studio: Studio, session: Session, job: Any) -> list[Path]:
    # By the number and not by what the row says: it is the studio that gives folders to runs.
    return [studio.settings.runs / str(job.id)]


RUNS = Thing(
    name="run",
    table=Job,
    label=lambda job: f"{job.id} · {job.name}",
    searched=(
        Job.name,
        Job.method,
        *(Job.spec[name].as_string() for name in ("model", "dataset", "tuning")),
    ),
    # Of jobs on data, evaluations, merges.
    lists=[(Job.spec, f"$.{name}") for name in ("models", "datasets", "adapters")],
    sorts={
        "name": Job.name,
        "state": Job.state,
        "method": Job.method,
        "progress": cast(Job.step, Float) / Job.total_steps,
        "loss": Job.latest["loss"].as_float(),
        "ended": Job.finished_at,
    },
    rename=rename,
    dependants=dependants,
    parts=_PARTS,
    files=files,
    listed=(Job.kind.in_(LISTED),),
)
