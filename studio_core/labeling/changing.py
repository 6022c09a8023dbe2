"""What may be changed of a project that is under way, and how it is put away."""

from __future__ import annotations

import shutil
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from studio_core.base import audit
from studio_core.base.errors import Conflict
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, Guidelines, Job, LabelItem, LabelProject, Lease
from studio_core.data import versions
from studio_core.labeling import judges, projects
from studio_core.labeling.exports import OPERATION
from studio_core.labeling.projects import checked_settings, load_project, rounds_of
from studio_core.labeling.writing import ANSWERS, PRELABEL
from studio_core.runs import queue

_ASKED = ("scale", "correct")
"""Settings that say what a verdict means: they are fixed once there is one."""


def change(studio: Studio, project: str | int, settings: dict[str, Any]) -> LabelProject:
    """Change some settings; what was voted stays, and with it what it meant.

    Labels of judges (``judges``) count only once it was measured how far one agrees with people.
    """
    if settings.get("judges"):
        judges.usable(studio, projects.get(studio, project))
    with studio.db.write() as session:
        row = load_project(session, project)
        new = checked_settings({**row.settings, **settings}).model_dump()
        changes = {name for name, value in new.items() if row.settings.get(name, value) != value}
        if changes & set(_ASKED) and _voted(session, row):
            raise Conflict("labeling.change_voted", project=row.name)
        if row.round and not new["blind"]:
            raise Conflict("labeling.round_stays_blind", project=row.name)
        if "held_out" in changes and _made_of(studio, row):
            raise Conflict("labeling.change_held_out", project=row.name)
        row.settings = new
        return row


def archive(studio: Studio, project: str | int, archived: bool = True) -> LabelProject:
    """Put a project away, or take it out again: nobody is given anything of it meanwhile, and all of it is kept."""
    return change(studio, project, {"archived": archived})


def remove(studio: Studio, project: str | int) -> None:
    """Delete a project in which nobody has voted; others can only be put away. Raises the ``obstacle``."""
    with studio.db.write() as session:
        row = load_project(session, project)
        if (obstacle := _obstacle(studio, session, row)) is not None:
            raise obstacle
        for table in (Lease, LabelItem, Guidelines):
            session.execute(delete(table).where(table.project_id == row.id))
        session.delete(row)
        name = row.name
    shutil.rmtree(studio.settings.labelling / str(row.id), ignore_errors=True)
    audit.note("labelling project %r deleted", name)


def obstacle(studio: Studio, project: str | int) -> Conflict | None:
    """Why a project cannot be deleted; None if it can."""
    with studio.db.read() as session:
        return _obstacle(studio, session, load_project(session, project))


def _obstacle(studio: Studio, session: Session, project: LabelProject) -> Conflict | None:
    if _voted(session, project):
        return Conflict("labeling.remove_voted", project=project.name)
    if project.round or rounds_of(studio, project.id) or _made_of(studio, project):
        return Conflict("labeling.remove_used", project=project.name)
    if (job := _at_work(studio, project)) is not None:
        return Conflict("labeling.remove_at_work", project=project.name, job=job.id)
    return None


def _at_work(studio: Studio, project: LabelProject) -> Job | None:
    """A job that writes for the project, or waits to: answers, or a judge's verdicts."""
    jobs = (job for job in (*queue.waiting(studio), *queue.live(studio)) if job.method in (ANSWERS, PRELABEL))
    return next((job for job in jobs if job.spec["options"]["project"] == project.id), None)


def _voted(session: Session, project: LabelProject) -> bool:
    """Whether there is any vote, also one that was taken back: votes are never deleted."""
    return (
        session.scalar(select(Annotation.id).where(Annotation.project_id == project.id).limit(1)) is not None
    )


def _made_of(studio: Studio, project: LabelProject) -> bool:
    return any(
        version.operation == OPERATION and version.made.get("options", {}).get("project") == project.name
        for version in versions.all_datasets(studio)
    )
