"""Verdicts: cast and changed. Rows are never deleted; the newest that stands counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studio_core.base import clock
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, LabelItem, LabelProject, Lease
from studio_core.labeling.assignment import (
    WITHDRAWN,
    Showing,
    checked_annotator,
    current,
    given_next,
    human,
    lease_of,
    take,
)
from studio_core.labeling.projects import guidelines_version, load_project, settings_of

STRENGTHS = ("slightly", "clearly")
_LONGEST = 20_000
"""Characters of an edited answer or a comment."""


@dataclass(frozen=True)
class Verdict:
    """What an annotator says of what they see: places count from the left."""

    verdict: str
    """``left``, ``right``, ``tie``, ``both_bad``, ``rated``, ``ranked`` or ``skip``."""
    strength: str = ""
    rating: int | None = None
    ranking: Sequence[int] = ()
    """Places as shown, the best first."""
    edits: dict[int, str] = field(default_factory=dict)
    """``{place as shown: text}``: a better version of that answer."""
    reasons: Sequence[str] = ()
    comment: str = ""


_VERDICTS = {
    "pairs": ("left", "right", "tie", "both_bad", "skip"),
    "rate": ("rated", "skip"),
    "rank": ("ranked", "skip"),
}


def cast(studio: Studio, project: str | int, annotator: str, item_id: int, verdict: Verdict) -> Annotation:
    """Store a verdict on an item that is leased to the annotator; it replaces an earlier one of theirs."""
    annotator = checked_annotator(annotator)
    with studio.db.write() as session:
        return _cast(session, load_project(session, project), annotator, item_id, verdict)


def cast_and_go_on(
    studio: Studio, project: str | int, annotator: str, item_id: int, verdict: Verdict
) -> tuple[Annotation, LabelItem, Showing | None]:
    """As ``cast``; the vote, its item, and what comes next.

    It is one transaction: a key press waits for one sync of the disk.
    """
    annotator = checked_annotator(annotator)
    with studio.db.write() as session:
        row = load_project(session, project)
        vote = _cast(session, row, annotator, item_id, verdict)
        session.flush()
        return vote, session.get_one(LabelItem, item_id), given_next(session, row, annotator)


def _cast(
    session: Session, project: LabelProject, annotator: str, item_id: int, verdict: Verdict
) -> Annotation:
    lease = lease_of(session, item_id, annotator)
    item = session.get_one(LabelItem, item_id)
    # A lease is found by item and person alone; the project comes from the address, which may name another.
    if item.project_id != project.id:
        raise BadInput("labeling.not_given", item=item_id, annotator=annotator)
    vote = annotation(session, project, item, lease, verdict, "human")
    session.add(vote)
    session.flush()
    if vote.repeats_id is None:
        _replace_earlier(session, vote)
        recount(session, item)
    # What was voted on is held no longer: the place is the vote's now.
    session.delete(lease)
    return vote


def judge(
    session: Session,
    project: LabelProject,
    annotator: str,
    item: LabelItem,
    order: Sequence[int],
    verdict: Verdict,
) -> Annotation:
    """Store a verdict that was given elsewhere, such as in a chat, on an item as it was shown there.

    It is there, and counts, even if the item has all the votes that are wanted.
    """
    take(session, project, item, checked_annotator(annotator), order)
    return _cast(session, project, annotator, item.id, verdict)


def annotation(
    session: Session, project: LabelProject, item: LabelItem, lease: Lease, verdict: Verdict, origin: str
) -> Annotation:
    order = list(lease.order)
    return Annotation(
        project_id=project.id,
        item_id=item.id,
        annotator=lease.annotator,
        origin=origin,
        verdict=_verdict(project, order, verdict),
        value=_value(project, order, verdict) | _screen(session, project, lease) | _begun(verdict, lease),
        reasons=_known_reasons(project, verdict.reasons),
        comment=_bounded(verdict.comment),
        order=order,
        # A clock that was set back must not make a negative time.
        seconds=max(0.0, (clock.now() - lease.since).total_seconds()),
        # As they were when the vote was given: a later text does not explain it.
        guidelines=guidelines_version(session, project.id),
        repeats_id=lease.repeats_id,
        superseded_by_id=None,
        undone_at=None,
    )


def _screen(session: Session, project: LabelProject, lease: Lease) -> dict[str, Any]:
    """``open`` if this person knew who wrote what: it is shown at once or, except in rounds, once they have voted."""
    mine = (Annotation.item_id == lease.item_id, Annotation.annotator == lease.annotator)
    if not settings_of(project).blind:
        return {"open": True}
    # An undone vote counts too: the names were on the screen after it.
    if not project.round and session.scalar(select(Annotation.id).where(*mine).limit(1)):
        return {"open": True}
    return {}


def _begun(verdict: Verdict, lease: Lease) -> dict[str, Any]:
    """What skipping does not say, and what the form holds again once that is undone: half a ranking, a strength."""
    if verdict.verdict != "skip":
        return {}
    begun = {name: lease.draft[name] for name in ("strength", "ranking") if lease.draft.get(name)}
    return {"begun": begun} if begun else {}


def _verdict(project: LabelProject, order: list[int], verdict: Verdict) -> str:
    """The verdict by the item's own places, whatever side they were shown on."""
    if verdict.verdict not in _VERDICTS[project.mode]:
        names = ", ".join(_VERDICTS[project.mode])
        raise BadInput("labeling.unknown_verdict", verdict=verdict.verdict[:40], known=names)
    if verdict.verdict in ("left", "right"):
        return "ab"[order[0 if verdict.verdict == "left" else 1]]
    return verdict.verdict


def _value(project: LabelProject, order: list[int], verdict: Verdict) -> dict[str, Any]:
    value: dict[str, Any] = {}
    if verdict.strength:
        if verdict.strength not in STRENGTHS or not settings_of(project).strength:
            raise BadInput("labeling.unknown_strength", strength=verdict.strength[:40])
        value["strength"] = verdict.strength
    if verdict.verdict == "rated":
        highest = settings_of(project).marks
        if verdict.rating is None or not 1 <= verdict.rating <= highest:
            raise BadInput("labeling.bad_rating", rating=verdict.rating, highest=highest)
        value |= {"rating": verdict.rating, "scale": highest}
    if verdict.verdict == "ranked":
        if sorted(verdict.ranking) != list(range(len(order))):
            raise BadInput("labeling.bad_ranking", answers=len(order))
        value["ranking"] = [order[place] for place in verdict.ranking]
    edits = {
        str(order[place]): _bounded(text) for place, text in verdict.edits.items() if 0 <= place < len(order)
    }
    if edits:
        if not all(text.strip() for text in edits.values()):
            raise BadInput("labeling.empty_edit")
        value["edits"] = edits
    return value


def _known_reasons(project: LabelProject, reasons: Sequence[str]) -> list[str]:
    offered = settings_of(project).reasons
    if unknown := next((reason for reason in reasons if reason not in offered), None):
        raise BadInput("labeling.unknown_reason", reason=unknown[:40], known=", ".join(offered))
    # A double click is one reason.
    return list(dict.fromkeys(reasons))


def _bounded(text: str) -> str:
    if len(text) > _LONGEST:
        raise BadInput("labeling.text_long", characters=len(text), limit=_LONGEST)
    return text


def _replace_earlier(session: Session, vote: Annotation) -> None:
    earlier = select(Annotation).where(
        Annotation.item_id == vote.item_id,
        Annotation.annotator == vote.annotator,
        Annotation.id != vote.id,
        # A person's vote and the same person's adjudication stand beside each other.
        Annotation.origin == vote.origin,
        Annotation.repeats_id.is_(None),
        current(),
    )
    for one in session.scalars(earlier):
        one.superseded_by_id = vote.id


def recount(session: Session, item: LabelItem) -> None:
    """Count the votes of an item anew: verdicts of different people, not skips, never a judge's."""
    session.flush()
    item.votes = (
        session.scalar(
            select(func.count())
            .select_from(Annotation)
            .where(
                Annotation.item_id == item.id,
                Annotation.verdict != "skip",
                human(),
                Annotation.repeats_id.is_(None),
                current(),
            )
        )
        or 0
    )


def draft_of(vote: Annotation) -> dict[str, Any]:
    """A vote as the form holds it: places are those on the screen."""
    if vote.verdict == WITHDRAWN:
        return dict(vote.value["begun"])
    places = {place: shown for shown, place in enumerate(vote.order)}
    draft: dict[str, Any] = {"verdict": vote.verdict, "reasons": vote.reasons, "comment": vote.comment}
    if vote.verdict in ("a", "b"):
        draft["verdict"] = ("left", "right")[places["ab".index(vote.verdict)]]
    for name in ("strength", "rating"):
        if name in vote.value:
            draft[name] = vote.value[name]
    if "ranking" in vote.value:
        draft["ranking"] = [places[place] for place in vote.value["ranking"]]
    if "edits" in vote.value:
        draft["edits"] = {str(places[int(place)]): text for place, text in vote.value["edits"].items()}
    return {**draft, **vote.value.get("begun", {})}


def state_of(studio: Studio, shown: Showing, annotator: str) -> str:
    """What an item is to the annotator who sees it: ``pending``, ``draft``, ``submitted`` or ``skipped``."""
    query = select(Annotation.verdict).where(
        Annotation.item_id == shown.item.id,
        Annotation.annotator == annotator,
        Annotation.repeats_id.is_(None),
        human(),
        current(),
    )
    with studio.db.read() as session:
        verdict = None if shown.repeat else session.scalar(query)
    if verdict is None:
        return "draft" if shown.draft else "pending"
    return "skipped" if verdict == "skip" else "submitted"


def standing(
    studio: Studio, project_id: int, *, item_ids: Sequence[int] | None = None
) -> Sequence[Annotation]:
    """All votes that stand, repeats included, in the order in which they were cast."""
    query = select(Annotation).where(Annotation.project_id == project_id, current()).order_by(Annotation.id)
    if item_ids is not None:
        query = query.where(Annotation.item_id.in_(item_ids))
    with studio.db.read() as session:
        return session.scalars(query).all()


def history(
    studio: Studio,
    project_id: int,
    annotator: str,
    limit: int = 50,
    *,
    before: int | None = None,
    skipped: bool | None = None,
) -> Sequence[Annotation]:
    """The newest votes of an annotator that stand, newest first; ``before`` is the id of a vote."""
    query = (
        select(Annotation)
        .where(Annotation.project_id == project_id, Annotation.annotator == annotator, human(), current())
        .order_by(Annotation.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(Annotation.id < before)
    if skipped is not None:
        query = query.where((Annotation.verdict == "skip") == skipped)
    with studio.db.read() as session:
        return session.scalars(query).all()
