"""Everything that is to be known of a project's votes, for its page and for programs."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from studio_core.labeling import votes as votes_of
from studio_core.labeling.agreement import DECIDED, Agreement, Habits, agreement, habits
from studio_core.labeling.assignment import current, human
from studio_core.labeling.projects import found, settings_of
from studio_core.studio import Studio
from studio_core.tables import Annotation, LabelItem, LabelProject

_AT_ONCE = 1000


@dataclass(frozen=True)
class Statistics:
    project: LabelProject
    items: int
    done: int
    """Items that have as many votes as are wanted."""
    begun: int
    """Items that have some, but not all."""
    conflicts: list[int]
    """Ids of items on which people disagree."""
    agreement: Agreement
    everybody: Habits
    annotators: dict[str, Habits] = field(default_factory=dict)
    hours: dict[datetime, int] = field(default_factory=dict)
    """Votes in each hour in which there were any, by its beginning; repeats count."""


def of_project(studio: Studio, project: str | int) -> Statistics:
    """Counts, agreement and habits, from all votes of people that stand."""
    with studio.db.read() as session:
        one = found(session, project)
        wanted = settings_of(one).votes
        by_votes = dict(
            session.execute(
                select(LabelItem.votes, func.count())
                .where(LabelItem.project_id == one.id)
                .group_by(LabelItem.votes)
            ).all()
        )
    votes = [vote for vote in votes_of.standing(studio, one.id) if vote.origin == "human"]
    judged = _judged(votes)
    shown = _items(studio, {vote.item_id for vote in votes})
    by_name: dict[str, list[Annotation]] = defaultdict(list)
    for vote in votes:
        by_name[vote.annotator].append(vote)
    return Statistics(
        project=one,
        items=sum(by_votes.values()),
        done=sum(n for has, n in by_votes.items() if has >= wanted),
        begun=sum(n for has, n in by_votes.items() if 0 < has < wanted),
        conflicts=[item for item, said in judged.items() if len(set(said.values())) > 1],
        agreement=agreement(judged, seed=one.seed),
        everybody=habits(votes, shown),
        annotators={name: habits(theirs, shown) for name, theirs in sorted(by_name.items())},
        hours=dict(Counter(vote.created_at.replace(minute=0, second=0, microsecond=0) for vote in votes)),
    )


def of_person(studio: Studio, project: str | int, annotator: str) -> Habits:
    """What one annotator may know of their own votes."""
    with studio.db.read() as session:
        one = found(session, project)
        query = select(Annotation).where(
            Annotation.project_id == one.id, Annotation.annotator == annotator, human(), current()
        )
        theirs = session.scalars(query.order_by(Annotation.id)).all()
    return habits(theirs, _items(studio, {vote.item_id for vote in theirs}))


def _judged(votes: list[Annotation]) -> dict[int, dict[str, str]]:
    judged: dict[int, dict[str, str]] = defaultdict(dict)
    for vote in votes:
        if vote.repeats_id is None and vote.verdict in DECIDED:
            judged[vote.item_id][vote.annotator] = vote.verdict
    return judged


def _items(studio: Studio, ids: set[int]) -> dict[int, LabelItem]:
    found_: dict[int, LabelItem] = {}
    wanted = sorted(ids)
    with studio.db.read() as session:
        for first in range(0, len(wanted), _AT_ONCE):
            some = LabelItem.id.in_(wanted[first : first + _AT_ONCE])
            found_.update((item.id, item) for item in session.scalars(select(LabelItem).where(some)))
    return found_


def document(found_: Statistics) -> dict[str, Any]:
    """The same for programs."""
    return {
        "project": found_.project.name,
        "items": found_.items,
        "done": found_.done,
        "begun": found_.begun,
        "left": found_.items - found_.done,
        "conflicts": len(found_.conflicts),
        "agreement": asdict(found_.agreement),
        "everybody": asdict(found_.everybody),
        "annotators": {name: asdict(one) for name, one in found_.annotators.items()},
    }
