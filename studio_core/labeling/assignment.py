"""Who sees which item next, and until when it is theirs.

A lease is an annotator's claim on an item: never do votes and live leases together exceed the number
of votes that the project wants. A lease that ran out keeps its draft; the item may then go to others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal, literal_column, select
from sqlalchemy.orm import Session

from studio_core.base import clock
from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, LabelItem, LabelProject, Lease
from studio_core.labeling.projects import load_project, settings_of

LEASE = timedelta(minutes=15)
WITHDRAWN = "withdrawn"
"""In place of a verdict: the annotator took back what they had said. It is no vote, and can be undone as one."""
# Sooner it would be a pair that is still before the eye.
REPEATS_AFTER = 10
"""Votes of an annotator before the first of them is shown again."""
# As many as people remember without trying; a repeat is to measure judgement.
_MEMORY = 5
"""Newest votes that are not shown again: they are remembered, not judged."""
_CHARACTERS = 100_000
"""Of a draft."""


@dataclass(frozen=True)
class Showing:
    """What is put before an annotator."""

    item: LabelItem
    order: list[int]
    """Places of the item's answers, the leftmost first."""
    draft: dict[str, Any]
    since: datetime
    until: datetime
    repeat: bool

    @property
    def answers(self) -> list[dict[str, Any]]:
        """The answers as they are shown, from left to right."""
        return [self.item.answers[place] for place in self.order]


def in_force() -> ColumnElement[bool]:
    """What people did, votes and withdrawals, that is neither replaced nor undone."""
    return and_(Annotation.undone_at.is_(None), Annotation.superseded_by_id.is_(None))


def current() -> ColumnElement[bool]:
    """Votes that stand: neither replaced nor taken back."""
    return and_(in_force(), Annotation.verdict != literal_column(f"'{WITHDRAWN}'"))


def human() -> ColumnElement[bool]:
    """Votes that a person cast on an item as any other annotator."""
    # Not a bound value: SQLite counts these votes by an index of them alone.
    return Annotation.origin == literal_column("'human'")


def checked_annotator(name: str) -> str:
    """The name of an annotator, as it is; raises ``BadInput`` if it will not do."""
    name = name.strip()
    if not name or len(name) > 80 or not name.isprintable():
        raise BadInput("labeling.bad_annotator", name=name[:80])
    return name


def next_item(studio: Studio, project: str | int, annotator: str) -> Showing | None:
    """What this annotator is to judge now, leased to them; None if there is nothing left for them.

    Asked again before the verdict it gives the same item, with its draft.
    """
    annotator = checked_annotator(annotator)
    with studio.db.write() as session:
        return given_next(session, load_project(session, project), annotator)


def showing(studio: Studio, item_id: int, annotator: str) -> Showing:
    """What is before the annotator already, and stays so: they are still there; raises if it is not."""
    with studio.db.write() as session:
        return shown(session, lease_of(session, item_id, annotator))


def given_next(session: Session, project: LabelProject, annotator: str) -> Showing | None:
    """As ``next_item``, within a transaction that has more to do."""
    if settings_of(project).archived:
        return None
    lease = _own_lease(session, project, annotator) or _repeat(session, project, annotator)
    if lease is None:
        item = _open_item(session, project, annotator)
        if item is None:
            return None
        lease = take(session, project, item, annotator, seeded_order(project, item, annotator))
    return shown(session, lease)


def take(
    session: Session,
    project: LabelProject,
    item: LabelItem,
    annotator: str,
    order: Sequence[int],
    *,
    draft: dict[str, Any] | None = None,
    repeats_id: int | None = None,
) -> Lease:
    """Lease an item, which must be open to the annotator."""
    now = clock.now()
    lease = session.get(Lease, (item.id, annotator)) or Lease(item_id=item.id, annotator=annotator, draft={})
    lease.project_id, lease.order, lease.repeats_id = project.id, list(order), repeats_id
    # From now on, also if it was theirs before: the seconds of a vote are those of this showing.
    lease.since, lease.until = now, now + LEASE
    if draft is not None:
        lease.draft = draft
    session.add(lease)
    session.flush()
    return lease


def shown(session: Session, lease: Lease) -> Showing:
    """What is leased, as it is shown; it is theirs for another while."""
    lease.until = clock.now() + LEASE
    item = session.get_one(LabelItem, lease.item_id)
    return Showing(
        item, list(lease.order), dict(lease.draft), lease.since, lease.until, lease.repeats_id is not None
    )


def _own_lease(session: Session, project: LabelProject, annotator: str) -> Lease | None:
    """A lease that the annotator has; one that ran out only while the item is still open to them."""
    mine = (Lease.project_id == project.id, Lease.annotator == annotator)
    for lease in session.scalars(select(Lease).where(*mine).order_by(Lease.since.desc())):
        if lease.until > clock.now() or lease.repeats_id is not None:
            return lease
        if session.scalar(_open_items(project, annotator).where(LabelItem.id == lease.item_id)):
            return lease
    return None


def _open_items(project: LabelProject, annotator: str) -> Any:
    """Items that still want a verdict of this annotator, given what others hold."""
    mine = exists().where(
        Annotation.item_id == LabelItem.id,
        Annotation.annotator == annotator,
        Annotation.repeats_id.is_(None),
        current(),
    )
    return select(LabelItem).where(LabelItem.project_id == project.id, _room(project, annotator), ~mine)


def _room(project: LabelProject, annotator: str) -> ColumnElement[bool]:
    """That votes and the live leases of others leave room for one more."""
    others = (
        select(func.count())
        .select_from(Lease)
        .where(
            Lease.item_id == LabelItem.id,
            Lease.annotator != annotator,
            Lease.until > clock.now(),
            Lease.repeats_id.is_(None),
        )
        .correlate(LabelItem)
        .scalar_subquery()
    )
    # The sum with 0 keeps SQLite from walking the index of votes instead of the numbers in order.
    return literal(0) + LabelItem.votes + others < settings_of(project).votes


def has_room(session: Session, project: LabelProject, item: LabelItem, annotator: str) -> bool:
    """Whether the item wants one more verdict, given what others hold."""
    asked = select(LabelItem.id).where(LabelItem.id == item.id, _room(project, annotator))
    return session.scalar(asked) is not None


def _open_item(session: Session, project: LabelProject, annotator: str) -> LabelItem | None:
    """The first open item after the annotator's newest vote, else the first of all."""
    newest = session.scalar(
        select(LabelItem.number)
        .join(Annotation, Annotation.item_id == LabelItem.id)
        .where(
            Annotation.project_id == project.id,
            Annotation.annotator == annotator,
            human(),
            Annotation.verdict != WITHDRAWN,
            Annotation.repeats_id.is_(None),
        )
        .order_by(Annotation.id.desc())
        .limit(1)
    )
    open_ = _open_items(project, annotator).order_by(LabelItem.number).limit(1)
    item: LabelItem | None = None
    if newest:
        item = session.scalar(open_.where(LabelItem.number > newest))
    return item or session.scalar(open_)


def _repeat(session: Session, project: LabelProject, annotator: str) -> Lease | None:
    """Now and then an earlier pair again, mirrored: so it is seen how consistent a person is."""
    share = settings_of(project).repeats
    if project.mode != "pairs" or not share:
        return None
    mine = (Annotation.project_id == project.id, Annotation.annotator == annotator, human(), current())
    newest = session.scalar(select(Annotation).where(*mine).order_by(Annotation.id.desc()).limit(1))
    # Never two repeats in a row: it would be noticed.
    if newest is None or newest.repeats_id is not None:
        return None
    voted = session.scalar(
        select(func.count()).select_from(Annotation).where(*mine, Annotation.repeats_id.is_(None))
    )
    if (voted or 0) < REPEATS_AFTER or _random(project.seed, annotator, voted) >= share:
        return None
    repeated = select(Annotation.repeats_id).where(*mine, Annotation.repeats_id.is_not(None))
    judged = Annotation.verdict.in_(("a", "b", "tie", "both_bad"))
    candidates = session.scalars(
        select(Annotation)
        .where(*mine, judged, Annotation.repeats_id.is_(None), Annotation.id.not_in(repeated))
        .order_by(Annotation.id.desc())
        # Not one of the newest, which are still remembered.
        .offset(_MEMORY)
        # Far enough back to be forgotten; reading all of ten thousand votes would be felt.
        .limit(100)
    ).all()
    if not candidates:
        return None
    earlier = candidates[int(_random(project.seed, annotator, "which", voted) * len(candidates))]
    item = session.get_one(LabelItem, earlier.item_id)
    # Mirrored: who votes by the side and not by the answer contradicts themselves now.
    return take(session, project, item, annotator, earlier.order[::-1], draft={}, repeats_id=earlier.id)


def seeded_order(project: LabelProject, item: LabelItem, annotator: str) -> list[int]:
    """The places of the answers as this annotator sees them: the same whenever it is asked."""
    places = range(len(item.answers))
    return sorted(places, key=lambda place: _random(project.seed, item.id, annotator, place))


def _random(*seed: object) -> float:
    """A number from 0 to 1 that only the seed decides."""
    digest = hashlib.sha256("/".join(map(str, seed)).encode()).digest()
    # Not ``random``: what a person is shown must be the same after a restart, and on any Python.
    return int.from_bytes(digest[:8]) / 2**64


def save_draft(studio: Studio, item_id: int, annotator: str, draft: dict[str, Any]) -> None:
    """Keep what was entered so far, and renew the lease; what is empty is no draft."""
    # An empty draft would make the item look begun.
    draft = {name: entered for name, entered in draft.items() if entered}
    _check_draft(draft)
    with studio.db.write() as session:
        lease = lease_of(session, item_id, annotator)
        lease.draft = draft
        lease.until = clock.now() + LEASE


def _check_draft(draft: dict[str, Any]) -> None:
    """Raise if it could not be sent back as it came: half a character or no number would close the screen."""
    try:
        text = json.dumps(draft, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError as error:
        raise BadInput("labeling.draft_unreadable") from error
    if len(text) > _CHARACTERS:
        raise BadInput("labeling.draft_long", limit=_CHARACTERS)


def release(studio: Studio, item_id: int, annotator: str) -> None:
    """Give an item back: what was said of it earlier stands, and what was entered since is kept."""
    with studio.db.write() as session:
        lease = session.get(Lease, (item_id, annotator))
        if lease is not None:
            lease.until = clock.now()


def lease_of(session: Session, item_id: int, annotator: str) -> Lease:
    """The lease of an annotator on an item; raises if it went to others meanwhile."""
    lease = session.get(Lease, (item_id, annotator))
    if lease is None:
        raise NotFound("labeling.not_given", item=item_id, annotator=annotator)
    if lease.until <= clock.now() and lease.repeats_id is None:
        project, item = session.get_one(LabelProject, lease.project_id), session.get_one(LabelItem, item_id)
        if not _has_place(session, item, annotator) and not has_room(session, project, item, annotator):
            raise Conflict("labeling.taken_meanwhile", item=item_id)
    return lease


def _has_place(session: Session, item: LabelItem, annotator: str) -> bool:
    """Whether one of the votes on an item is theirs: that they change it takes nothing from others."""
    theirs = select(Annotation.id).where(
        Annotation.item_id == item.id,
        Annotation.annotator == annotator,
        Annotation.verdict != "skip",
        Annotation.repeats_id.is_(None),
        human(),
        current(),
    )
    return session.scalar(theirs.limit(1)) is not None
