"""What one annotator said, and what others said of the same items."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, LabelItem
from studio_core.labeling import votes
from studio_core.labeling.assignment import current, human

# About two screens: enough to find the vote that one has just cast.
PAGE = 50


@dataclass(frozen=True)
class Past:
    vote: Annotation
    item: LabelItem
    others: Mapping[str, int]
    """Verdicts of other people, by the item's own places; ratings as their number."""


def of(
    studio: Studio, project_id: int, annotator: str, *, before: int | None = None, skipped: bool | None = None
) -> list[Past]:
    """A page of an annotator's votes that stand, the newest first; ``before`` is the id of a vote.

    What was skipped is not judged yet: of it nothing of others is told.
    """
    mine = votes.history(studio, project_id, annotator, PAGE, before=before, skipped=skipped)
    ids = {vote.item_id for vote in mine}
    with studio.db.read() as session:
        items = {item.id: item for item in session.scalars(select(LabelItem).where(LabelItem.id.in_(ids)))}
        theirs = session.scalars(
            select(Annotation).where(
                Annotation.item_id.in_(ids),
                Annotation.annotator != annotator,
                Annotation.verdict != "skip",
                Annotation.repeats_id.is_(None),
                human(),
                current(),
            )
        ).all()
    verdicts: dict[int, Counter[str]] = defaultdict(Counter)
    for vote in theirs:
        verdicts[vote.item_id][_short(vote)] += 1
    return [
        Past(vote, items[vote.item_id], verdicts[vote.item_id] if vote.verdict != "skip" else {})
        for vote in mine
    ]


def _short(vote: Annotation) -> str:
    if vote.verdict == "rated":
        return str(vote.value["rating"])
    return vote.verdict
