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
from studio_core.labeling.projects import load_project, settings_of


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
        row = load_project(session, project)
        wanted = settings_of(row).votes
        by_votes = dict(
            session.execute(
                select(LabelItem.votes, func.count())
                .where(LabelItem.project_id == row.id)
                .group_by(LabelItem.votes)
            ).all()
        )
        votes = _votes(session, row)
        shown = _lengths(session, row)
    verdicts = _verdicts(votes)
    level: Level = "ordinal" if row.mode == "rate" and settings_of(row).marks > 2 else "nominal"
    by_name: dict[str, list[Row[Any]]] = defaultdict(list)
    for vote in votes:
        by_name[vote.annotator].append(vote)
    return Statistics(
        project=row,
        items=sum(by_votes.values()),
        done=sum(n for has, n in by_votes.items() if has >= wanted),
        begun=sum(n for has, n in by_votes.items() if 0 < has < wanted),
        conflicts=[
            item for item, by_annotator in verdicts.items() if _differ(list(by_annotator.values()), level)
        ],
        agreement=agreement(_units(verdicts), level=level, seed=row.seed),
        everybody=habits(votes, shown),
        annotators={name: habits(theirs, shown) for name, theirs in sorted(by_name.items())},
        pace=dict(Counter(_five_minutes(vote.created_at) for vote in votes)),
    )


def _five_minutes(moment: datetime) -> datetime:
    # Five minutes: a bar of the chart holds some dozens of votes at a usual pace.
    return moment.replace(minute=moment.minute - moment.minute % 5, second=0, microsecond=0)


def of_person(studio: Studio, project: str | int, annotator: str) -> Habits:
    """What one annotator may know of their own votes."""
    with studio.db.read() as session:
        row = load_project(session, project)
        return habits(_votes(session, row, annotator), _lengths(session, row, annotator))


def _votes(session: Session, project: LabelProject, annotator: str = "") -> Sequence[Row[Any]]:
    """Votes of people, or of one, that stand: only what is counted, since there may be 100,000."""
    of_them = [Annotation.annotator == annotator] if annotator else []
    query = select(
        Annotation.id,
        Annotation.item_id,
        Annotation.annotator,
        Annotation.verdict,
        # JSON is most of what reading costs, and of pairs the verdict says all.
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
    return {item: (first, other) for item, first, other in rows}


def _verdicts(votes: Sequence[Row[Any]]) -> dict[int, dict[str, Any]]:
    """What each said of each item: a verdict, a rating, or a ranking from the best on."""
    verdicts: dict[int, dict[str, Any]] = defaultdict(dict)
    for vote in votes:
        if vote.repeats_id is not None:
            continue
        if vote.verdict in DECIDED:
            verdicts[vote.item_id][vote.annotator] = vote.verdict
        elif vote.verdict == "rated":
            verdicts[vote.item_id][vote.annotator] = vote.value["rating"]
        elif vote.verdict == "ranked":
            verdicts[vote.item_id][vote.annotator] = tuple(vote.value["ranking"])
    return verdicts


def _units(verdicts: dict[int, dict[str, Any]]) -> dict[Unit, dict[str, Any]]:
    """The same by what is compared between people: of rankings, which of every two answers is above."""
    units: dict[Unit, dict[str, Any]] = {}
    for item, by_annotator in verdicts.items():
        for name, answer in by_annotator.items():
            if not isinstance(answer, tuple):
                units.setdefault((item,), {})[name] = answer
                continue
            for above, below in combinations(answer, 2):
                # The same unit for all, whichever of the two somebody put above.
                first, second = sorted((above, below))
                units.setdefault((item, first, second), {})[name] = "first" if above == first else "second"
    return units


def _differ(verdicts: Sequence[Any], level: Level) -> bool:
    """Whether people disagree: of ratings, that they are far apart; of rankings, that the first place differs."""
    if level == "ordinal":
        return bool(max(verdicts) - min(verdicts) >= FAR_APART)
    return len({answer[0] if isinstance(answer, tuple) else answer for answer in verdicts}) > 1


def document(statistics: Statistics) -> dict[str, Any]:
    """The same for programs."""
    return {
        "project": statistics.project.name,
        "items": statistics.items,
        "done": statistics.done,
        "begun": statistics.begun,
        "left": statistics.items - statistics.done,
        "conflicts": len(statistics.conflicts),
        "agreement": asdict(statistics.agreement),
        "everybody": asdict(statistics.everybody),
        "annotators": {name: asdict(habits) for name, habits in statistics.annotators.items()},
    }
