"""What an annotator did, taken back: the newest first, or one vote from their history.

Each of an annotator's actions is a row: a vote, a skip, or the withdrawal of either, which replaces what it
withdraws as a changed vote does. So undoing is one thing: the newest row is marked as undone, and what it had
replaced stands again, as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studio_core.base import clock
from studio_core.base.errors import Conflict
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, LabelItem, LabelProject, Lease
from studio_core.labeling.assignment import (
    WITHDRAWN,
    Showing,
    checked_annotator,
    current,
    has_room,
    human,
    in_force,
    shown,
    take,
)
from studio_core.labeling.projects import guidelines_version, load_project
from studio_core.labeling.votes import draft_of, recount

# Further back one looks into the history instead.
UNDOABLE = 50
"""Newest actions that can be undone one after the other."""
_NO_ROOM = {"skip": "labeling.taken_since_skipped", WITHDRAWN: "labeling.taken_since_withdrawn"}
"""Actions that leave an item to others, and what is said if those have taken it."""


def undo(studio: Studio, project: str | int, annotator: str) -> Showing:
    """Undo the annotator's newest action; the item is before them again, as they had left it."""
    annotator = checked_annotator(annotator)
    with studio.db.write() as session:
        row = load_project(session, project)
        mine = (Annotation.project_id == row.id, Annotation.annotator == annotator, human())
        newest = session.scalar(
            select(Annotation).where(*mine, in_force()).order_by(Annotation.id.desc()).limit(1)
        )
        if newest is None:
            raise Conflict("labeling.nothing_to_undo")
        undone = select(func.count()).where(
            *mine, Annotation.id > newest.id, Annotation.undone_at.is_not(None)
        )
        # Counted back from the newest that stands: those undone in a row lie behind it.
        if (session.scalar(undone) or 0) >= UNDOABLE:
            raise Conflict("labeling.undo_limit", limit=UNDOABLE)
        item = session.get_one(LabelItem, newest.item_id)
        _require_room(session, row, item, newest)
        _undo(session, newest)
        return _shown_again(session, row, item, newest)


def reopen(studio: Studio, project: str | int, annotator: str, item_id: int) -> Showing:
    """Show an item again that the annotator has judged or skipped, as they said or were about to change it."""
    annotator = checked_annotator(annotator)
    with studio.db.write() as session:
        row = load_project(session, project)
        standing = _standing_on(session, row, annotator, item_id)
        item = session.get_one(LabelItem, item_id)
        _require_room(session, row, item, standing)
        return _shown_again(session, row, item, standing)


def withdraw(studio: Studio, project: str | int, annotator: str, item_id: int) -> None:
    """Take a vote or a skip back without putting another in its place: the item waits for one again."""
    annotator = checked_annotator(annotator)
    with studio.db.write() as session:
        row = load_project(session, project)
        standing = _standing_on(session, row, annotator, item_id)
        order, entered = _entered(session, standing)
        withdrawal = Annotation(
            project_id=row.id,
            item_id=item_id,
            annotator=annotator,
            origin=standing.origin,
            verdict=WITHDRAWN,
            value={"begun": entered},
            order=order,
            guidelines=guidelines_version(session, row.id),
        )
        session.add(withdrawal)
        session.flush()
        standing.superseded_by_id = withdrawal.id
        recount(session, session.get_one(LabelItem, item_id))
        lease = session.get(Lease, (item_id, annotator))
        if lease is not None:
            session.delete(lease)


def take_back(session: Session, ids: Sequence[int]) -> None:
    """Undo these votes, wherever they stand among others, within a transaction that has more to do."""
    votes = select(Annotation).where(Annotation.id.in_(ids), Annotation.undone_at.is_(None))
    for vote in session.scalars(votes).all():
        _undo(session, vote)


def _undo(session: Session, action: Annotation) -> None:
    """What the action replaced stands again, or is replaced by what has replaced the action since."""
    action.undone_at = clock.now()
    replaced = select(Annotation).where(
        Annotation.item_id == action.item_id, Annotation.superseded_by_id == action.id
    )
    for vote in session.scalars(replaced).all():
        # Without this a vote from the middle of a chain would bring back what a newer one replaced.
        vote.superseded_by_id = action.superseded_by_id
    recount(session, session.get_one(LabelItem, action.item_id))


def _shown_again(session: Session, project: LabelProject, item: LabelItem, action: Annotation) -> Showing:
    """The item of an action before its annotator, as they had left it."""
    order, draft = _entered(session, action)
    _let_go(session, project, action.annotator)
    return shown(
        session,
        take(session, project, item, action.annotator, order, draft=draft, repeats_id=action.repeats_id),
    )


def _entered(session: Session, action: Annotation) -> tuple[list[int], dict[str, Any]]:
    """What stands in the form for an item, and in which order of its answers.

    That is what was begun since the action; else what was said with it.
    """
    lease = session.get(Lease, (action.item_id, action.annotator))
    if lease is not None and lease.draft and lease.repeats_id == action.repeats_id:
        return list(lease.order), dict(lease.draft)
    return list(action.order), draft_of(action)


def _standing_on(session: Session, project: LabelProject, annotator: str, item_id: int) -> Annotation:
    """What the annotator says of an item, repeats aside."""
    standing = session.scalar(
        select(Annotation)
        .where(
            Annotation.project_id == project.id,
            Annotation.item_id == item_id,
            Annotation.annotator == annotator,
            Annotation.repeats_id.is_(None),
            human(),
            current(),
        )
        .order_by(Annotation.id.desc())
    )
    if standing is None:
        raise Conflict("labeling.not_given", item=item_id, annotator=annotator)
    return standing


def _require_room(session: Session, project: LabelProject, item: LabelItem, action: Annotation) -> None:
    """What was left to others may have gone to as many of them as are wanted; a verdict has kept its place."""
    left = action.verdict in _NO_ROOM and action.repeats_id is None
    if left and not has_room(session, project, item, action.annotator):
        raise Conflict(_NO_ROOM[action.verdict], item=item.number)


def _let_go(session: Session, project: LabelProject, annotator: str) -> None:
    """Give back what the annotator holds, except what they have begun: that comes again afterwards."""
    mine = select(Lease).where(Lease.project_id == project.id, Lease.annotator == annotator)
    # Or the screen would go on with this one instead of what was asked for.
    for lease in session.scalars(mine):
        if not lease.draft:
            session.delete(lease)
    session.flush()
