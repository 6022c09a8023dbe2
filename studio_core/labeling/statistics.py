"""Everything that is to be known of a project's votes, for its page and for programs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, LabelItem, LabelProject
from studio_core.labeling.adjudication import FAR_APART
from studio_core.labeling.agreement import DECIDED, Agreement, Habits, Level, Unit, agreement, habits
from studio_core.labeling.assignment import current, human
from studio_core.labeling.projects import found, settings_of


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
    pace: dict[datetime, int] = field(default_factory=dict)
    """Votes in each five minutes in which there were any, by their beginning; repeats count."""


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
        votes = _votes(session, one)
        shown = _lengths(session, one)
    judged = _judged(votes)
    level: Level = "ordinal" if one.mode == "rate" and settings_of(one).marks > 2 else "nominal"
    by_name: dict[str, list[Row[Any]]] = defaultdict(list)
    for vote in votes:
        by_name[vote.annotator].append(vote)
    return Statistics(
        project=one,
        items=sum(by_votes.values()),
        done=sum(n for has, n in by_votes.items() if has >= wanted),
        begun=sum(n for has, n in by_votes.items() if 0 < has < wanted),
        conflicts=[item for item, said in judged.items() if _differ(list(said.values()), level)],
        agreement=agreement(_units(judged), level=level, seed=one.seed),
        everybody=habits(votes, shown),
        annotators={name: habits(theirs, shown) for name, theirs in sorted(by_name.items())},
        pace=dict(Counter(_five_minutes(vote.created_at) for vote in votes)),
    )


def _five_minutes(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute - moment.minute % 5, second=0, microsecond=0)


def of_person(studio: Studio, project: str | int, annotator: str) -> Habits:
    """What one annotator may know of their own votes."""
    with studio.db.read() as session:
        one = found(session, project)
        return habits(_votes(session, one, annotator), _lengths(session, one, annotator))


def _votes(session: Session, project: LabelProject, annotator: str = "") -> Sequence[Row[Any]]:
    """Votes of people, or of one, that stand: only what is counted, since there may be 100,000."""
    of_them = [Annotation.annotator == annotator] if annotator else []
    query = select(
        Annotation.id,
        Annotation.item_id,
        Annotation.annotator,
        Annotation.verdict,
        *([] if project.mode == "pairs" else [Annotation.value]),
        Annotation.order,
        Annotation.seconds,
        Annotation.repeats_id,
        Annotation.created_at,
    ).where(Annotation.project_id == project.id, human(), current(), *of_them)
    return session.execute(query.order_by(Annotation.id)).all()


def _lengths(session: Session, project: LabelProject, annotator: str = "") -> dict[int, tuple[int, int]]:
    """Of the two answers of the items for one side of which somebody voted."""
    of_them = [Annotation.annotator == annotator] if annotator else []
    voted = select(Annotation.item_id).where(
        Annotation.project_id == project.id, Annotation.verdict.in_(("a", "b")), *of_them
    )
    both = [func.length(func.json_extract(LabelItem.answers, f"$[{place}].text")) for place in (0, 1)]
    rows = session.execute(select(LabelItem.id, *both).where(LabelItem.id.in_(voted)))
    return {item: (one, other) for item, one, other in rows}


def _judged(votes: Sequence[Row[Any]]) -> dict[int, dict[str, Any]]:
    """What each said of each item: a verdict, a rating, or a ranking from the best on."""
    judged: dict[int, dict[str, Any]] = defaultdict(dict)
    for vote in votes:
        if vote.repeats_id is not None:
            continue
        if vote.verdict in DECIDED:
            judged[vote.item_id][vote.annotator] = vote.verdict
        elif vote.verdict == "rated":
            judged[vote.item_id][vote.annotator] = vote.value["rating"]
        elif vote.verdict == "ranked":
            judged[vote.item_id][vote.annotator] = tuple(vote.value["ranking"])
    return judged


def _units(judged: dict[int, dict[str, Any]]) -> dict[Unit, dict[str, Any]]:
    """The same by what is compared between people: of rankings, which of every two answers is above."""
    units: dict[Unit, dict[str, Any]] = {}
    for item, said in judged.items():
        for name, answer in said.items():
            if not isinstance(answer, tuple):
                units.setdefault((item,), {})[name] = answer
                continue
            for above, below in combinations(answer, 2):
                first, second = sorted((above, below))
                units.setdefault((item, first, second), {})[name] = "first" if above == first else "second"
    return units


def _differ(said: Sequence[Any], level: Level) -> bool:
    """Whether people disagree: of ratings, that they are far apart; of rankings, that the first place differs."""
    if level == "ordinal":
        return bool(max(said) - min(said) >= FAR_APART)
    return len({answer[0] if isinstance(answer, tuple) else answer for answer in said}) > 1


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
