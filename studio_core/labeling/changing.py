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
from studio_core.labeling.projects import checked_settings, found, rounds_of
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
        one = found(session, project)
        new = checked_settings({**one.settings, **settings}).model_dump()
        changed = {name for name, value in new.items() if one.settings.get(name, value) != value}
        if changed & set(_ASKED) and _voted(session, one):
            raise Conflict("labeling.change_voted", project=one.name)
        if one.round and not new["blind"]:
            raise Conflict("labeling.round_stays_blind", project=one.name)
        if "held_out" in changed and _made_of(studio, one):
            raise Conflict("labeling.change_held_out", project=one.name)
        one.settings = new
        return one


def archive(studio: Studio, project: str | int, archived: bool = True) -> LabelProject:
    """Put a project away, or take it out again: nobody is given anything of it meanwhile, and all of it is kept."""
    return change(studio, project, {"archived": archived})


def remove(studio: Studio, project: str | int) -> None:
    """Delete a project in which nobody has voted; others can only be put away. Raises the ``obstacle``."""
    with studio.db.write() as session:
        one = found(session, project)
        if (obstacle := _obstacle(studio, session, one)) is not None:
            raise obstacle
        for table in (Lease, LabelItem, Guidelines):
            session.execute(delete(table).where(table.project_id == one.id))
        session.delete(one)
        name = one.name
    shutil.rmtree(studio.settings.labelling / str(one.id), ignore_errors=True)
    audit.note("labelling project %r deleted", name)


def obstacle(studio: Studio, project: str | int) -> Conflict | None:
    """Why a project cannot be deleted; None if it can."""
    with studio.db.read() as session:
        return _obstacle(studio, session, found(session, project))


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
        one.operation == OPERATION and one.made.get("options", {}).get("project") == project.name
        for one in versions.all_datasets(studio)
    )
