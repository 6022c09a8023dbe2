"""Items on which people disagree, and the last word on them.

A decision is a vote of its own, of the origin ``adjudicator``: it replaces no vote of a person, and
``records`` takes it before all of them. There is one for each item; the newest that stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from studio_core.base import clock
from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, LabelItem, LabelProject, Lease
from studio_core.labeling.assignment import checked_annotator, current, human
from studio_core.labeling.projects import load_project, settings_of
from studio_core.labeling.votes import Verdict, annotation

ORIGIN = "adjudicator"
# Two points are taste; three of five or more marks are another opinion.
FAR_APART = 3
"""Points between the ratings of one answer that are a disagreement, where there are more than two marks."""


@dataclass(frozen=True)
class Case:
    """One item with all that people said of it."""

    project: LabelProject
    item: LabelItem
    votes: Sequence[Annotation]
    decision: Annotation | None
    earlier: Annotation | None
    """If there is none: what the one who asks had decided before it was taken back."""


def disagreements(studio: Studio, project: str | int) -> tuple[list[int], list[int]]:
    """Ids of items with all the votes wanted, on which people disagree: those undecided, and those decided."""
    with studio.db.read() as session:
        row = load_project(session, project)
        decided = set(session.scalars(select(Annotation.item_id).where(*_decisions(row))))
        query = (
            select(LabelItem.id)
            .join(Annotation, Annotation.item_id == LabelItem.id)
            .where(
                Annotation.project_id == row.id,
                Annotation.verdict != "skip",
                Annotation.repeats_id.is_(None),
                human(),
                current(),
                LabelItem.votes >= settings_of(row).votes,
            )
            .group_by(LabelItem.id)
            .having(_differ(row))
            .order_by(LabelItem.number)
        )
        items = session.scalars(query).all()
    return [item for item in items if item not in decided], [item for item in items if item in decided]


def _differ(project: LabelProject) -> ColumnElement[bool]:
    """That verdicts on one item are not the same: of rankings, that the first place is not."""
    if project.mode == "pairs":
        return func.count(Annotation.verdict.distinct()) > 1
    if project.mode == "rank":
        return func.count(Annotation.value[("ranking", 0)].as_integer().distinct()) > 1
    rating = Annotation.value["rating"].as_integer()
    return func.max(rating) - func.min(rating) >= (1 if settings_of(project).marks == 2 else FAR_APART)


def _decisions(project: LabelProject) -> tuple[ColumnElement[bool], ...]:
    return Annotation.project_id == project.id, Annotation.origin == ORIGIN, current()


def case(studio: Studio, project: str | int, item_id: int, adjudicator: str = "") -> Case:
    with studio.db.read() as session:
        row = load_project(session, project)
        item = _item(session, row, item_id)
        query = select(Annotation).where(
            Annotation.item_id == item.id, Annotation.repeats_id.is_(None), current()
        )
        votes = session.scalars(query.order_by(Annotation.id)).all()
        earlier = session.scalar(
            select(Annotation)
            .where(
                Annotation.item_id == item.id,
                Annotation.annotator == adjudicator,
                Annotation.origin == ORIGIN,
            )
            .order_by(Annotation.id.desc())
            .limit(1)
        )
    decisions = [vote for vote in votes if vote.origin == ORIGIN]
    people = [vote for vote in votes if vote.origin == "human"]
    decision = decisions[-1] if decisions else None
    return Case(row, item, people, decision, None if decision else earlier)


def _item(session: Session, project: LabelProject, item_id: int) -> LabelItem:
    item = session.get(LabelItem, item_id)
    if item is None or item.project_id != project.id:
        raise NotFound("labeling.adjudicate_no_item", item=item_id, project=project.name)
    return item


def decide(
    studio: Studio, project: str | int, adjudicator: str, item_id: int, verdict: Verdict
) -> Annotation:
    """The last word on an item, whose answers are seen in their own order; it replaces an earlier one."""
    adjudicator = checked_annotator(adjudicator)
    if verdict.verdict == "skip":
        raise BadInput("labeling.adjudicate_no_skip")
    with studio.db.write() as session:
        row = load_project(session, project)
        item = _item(session, row, item_id)
        lease = Lease(
            # In the item's own order, as the page shows a case: beside what others said, sides mean nothing.
            annotator=adjudicator,
            order=list(range(len(item.answers))),
            since=clock.now(),
            repeats_id=None,
        )
        decision = annotation(session, row, item, lease, verdict, ORIGIN)
        session.add(decision)
        session.flush()
        for earlier in session.scalars(
            select(Annotation).where(
                *_decisions(row), Annotation.item_id == item.id, Annotation.id != decision.id
            )
        ):
            earlier.superseded_by_id = decision.id
        return decision


def reconsider(studio: Studio, project: str | int, item_id: int) -> None:
    """Take the decision on an item back: people's votes count again."""
    with studio.db.write() as session:
        row = load_project(session, project)
        _item(session, row, item_id)
        standing = session.scalars(
            select(Annotation).where(*_decisions(row), Annotation.item_id == item_id)
        ).all()
        if not standing:
            raise Conflict("labeling.adjudicate_nothing")
        for decision in standing:
            decision.undone_at = clock.now()
