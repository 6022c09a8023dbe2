"""What may be changed of a project that is under way."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio_core.base.errors import Conflict
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, LabelProject
from studio_core.data import versions
from studio_core.labeling import judges, projects
from studio_core.labeling.exports import OPERATION
from studio_core.labeling.projects import checked_settings, load_project

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
