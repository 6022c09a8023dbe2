"""How far a project is: quick to ask after each vote."""

from __future__ import annotations

from sqlalchemy import func, select

from studio_core.labeling.assignment import current, human
from studio_core.labeling.projects import settings_of
from studio_core.studio import Studio
from studio_core.tables import Annotation, LabelItem, LabelProject


def of(studio: Studio, project: LabelProject, annotator: str = "") -> dict[str, int]:
    """``items``, ``done`` (with all votes wanted), and ``mine``: votes of the annotator that stand."""
    wanted = settings_of(project).votes
    within = LabelItem.project_id == project.id
    with studio.db.read() as session:
        items = session.scalar(select(func.max(LabelItem.number)).where(within)) or 0
        done = session.scalar(select(func.count()).where(within, LabelItem.votes >= wanted)) or 0
        mine = session.scalar(
            select(func.count()).where(
                Annotation.project_id == project.id,
                Annotation.annotator == annotator,
                Annotation.repeats_id.is_(None),
                human(),
                current(),
            )
        )
    return {"items": items, "done": done, "mine": mine or 0}
