"""Labeling projects: what is found of them, and what goes with one. Votes are never deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from studio_core.base.errors import Conflict
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, Dataset, Guidelines, Job, LabelItem, LabelProject, Lease
from studio_core.data.naming import checked_name
from studio_core.keeping import uses
from studio_core.keeping.thing import Dependant, Thing
from studio_core.labeling.exports import OPERATION


def rename(session: Session, project: Any, name: str) -> None:
    """The project, and what the datasets say that were made of its votes; jobs name it by its number."""
    name, before = checked_name(name), project.name
    if session.scalar(
        select(LabelProject.id).where(LabelProject.name == name, LabelProject.id != project.id)
    ):
        raise Conflict("keeping.name_taken", name=name)
    for dataset in session.scalars(_made_of(before)):
        options = {**dataset.made["options"], "project": name}
        dataset.made = {**dataset.made, "options": options}
    project.name = name


def archive(project: Any, archived: bool) -> None:
    """Nobody is given anything of an archived project."""
    project.settings = {**project.settings, "archived": archived}


def _made_of(name: str) -> Select[Dataset]:
    project = Dataset.made["options"]["project"].as_string()
    return select(Dataset).where(Dataset.operation == OPERATION, project == name)


def dependants(session: Session, project: Any) -> Iterator[Dependant]:
    votes = session.scalar(select(func.count()).where(Annotation.project_id == project.id))
    if votes:
        yield Dependant("voted", [str(votes)], blocks=True)
    rounds = select(LabelProject.name).where(LabelProject.round["project"].as_integer() == project.id)
    if names := session.scalars(rounds).all():
        yield Dependant("rounds", names, blocks=True)
    if datasets := [f"{one.name}@{one.version}" for one in session.scalars(_made_of(project.name))]:
        yield Dependant("exports", datasets, blocks=True)
    jobs = select(Job).where(
        Job.state.not_in(TERMINAL), Job.spec["options"]["project"].as_integer() == project.id
    )
    if active := [uses.label(job) for job in session.scalars(jobs)]:
        yield Dependant("active", active, blocks=True)


def files(studio: Studio, session: Session, project: Any) -> Iterable[Path]:
    return [studio.settings.labelling / str(project.id)]


PROJECTS = Thing(
    name="project",
    table=LabelProject,
    label=lambda project: project.name,
    searched=(LabelProject.name, LabelProject.mode),
    lists=(),
    sorts={"name": LabelProject.name, "mode": LabelProject.mode},
    rename=rename,
    archive=archive,
    dependants=dependants,
    parts=(
        Guidelines.project_id,
        LabelItem.project_id,
        Lease.project_id,
        Lease.item_id,
        Annotation.project_id,
        Annotation.item_id,
    ),
    files=files,
)
