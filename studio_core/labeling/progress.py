"""How far a project is: quick to ask after each vote."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, LabelItem, LabelProject
from studio_core.labeling.assignment import current, human
from studio_core.labeling.projects import guidelines_version, load_project, settings_of


@dataclass(frozen=True)
class Standing:
    """What is to be known beside an item."""

    project: LabelProject
    counts: dict[str, int]
    guidelines: int
    """The version that holds."""


def standing(studio: Studio, project: int, annotator: str) -> Standing:
    with studio.db.read() as session:
        row = load_project(session, project)
        return Standing(row, _counts(session, row, annotator), guidelines_version(session, row.id))


def of(studio: Studio, project: LabelProject, annotator: str = "") -> dict[str, int]:
    """``items``, ``done`` (with all votes wanted), and ``mine``: votes of the annotator that stand."""
    with studio.db.read() as session:
        return _counts(session, project, annotator)


def _counts(session: Session, project: LabelProject, annotator: str) -> dict[str, int]:
    own = LabelItem.project_id == project.id
    items = select(func.max(LabelItem.number)).where(own)
    complete = select(func.count()).where(own, LabelItem.votes >= settings_of(project).votes)
    mine = select(func.count()).where(
        Annotation.project_id == project.id,
        Annotation.annotator == annotator,
        Annotation.repeats_id.is_(None),
        human(),
        current(),
    )
    counts = session.execute(
        select(items.scalar_subquery(), complete.scalar_subquery(), mine.scalar_subquery())
    ).one()
    return dict(zip(("items", "done", "mine"), (count or 0 for count in counts), strict=True))
