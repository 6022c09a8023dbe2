"""What jobs write for projects: items to be judged, and what a judge says of them.

It reaches the database with the offset of the line that it came in, so that each is stored exactly once,
whenever the engine dies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from studio_core.base.errors import BadInput
from studio_core.base.tables import Annotation, Job, LabelItem, LabelProject
from studio_core.data.shapes import Message
from studio_core.labeling import items
from studio_core.labeling.assignment import current
from studio_core.labeling.items import Added, Answer, NewItem
from studio_core.labeling.projects import guidelines_version

ANSWERS = "answers"
"""The operation that writes answers to be judged."""
PRELABEL = "prelabel"
"""The operation in which a judge says which answers are better."""
JUDGE = "judge"
"""Origin of the verdicts of judges, and what their names as annotators begin with."""


class _Message(BaseModel):
    role: Literal["system", "user", "assistant", "tool"]
    content: str


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    text: str
    source: str
    model: int | None = None


class _Item(BaseModel):
    """An ``item`` line of ``events.jsonl``."""

    model_config = ConfigDict(extra="ignore")

    prompt: list[_Message] = Field(default_factory=list)
    answers: list[_Answer] = Field(default_factory=list)
    dropped: Literal["", "failed", "identical", "same_score", "unscored"] = ""


class _Verdict(BaseModel):
    """A ``verdict`` line of ``events.jsonl``."""

    model_config = ConfigDict(extra="ignore")

    item: int
    verdict: Literal["", "a", "b", "tie", "both_bad"] = ""
    said: list[Literal["a", "b", "tie", "both_bad"]] = Field(default_factory=list, max_length=2)
    may_say_both_bad: bool = False


def store(session: Session, job: Job, events: Sequence[dict[str, Any]]) -> None:
    """Store the items and verdicts among the events of a job."""
    items_, verdicts = ([event for event in events if event["type"] == type] for type in ("item", "verdict"))
    project = _project_of(session, job) if items_ or verdicts else None
    if project is not None:
        _store_items(session, project, items_)
        _store_verdicts(session, project, job, verdicts)


def _store_items(session: Session, project: LabelProject, events: Sequence[dict[str, Any]]) -> None:
    """Add the items, and count what became of the prompts."""
    counted, became = Added(), Counter[str]()
    good: list[NewItem] = []
    for event in events:
        try:
            item = _Item.model_validate(event)
            if item.dropped:
                became[item.dropped] += 1
            else:
                answers = [Answer(answer.text, answer.source, model=answer.model) for answer in item.answers]
                prompt: list[Message] = [
                    {"role": message.role, "content": message.content} for message in item.prompt
                ]
                good.append(items.checked(NewItem(prompt, answers), project.mode))
        except (ValidationError, BadInput):
            became["failed"] += 1  # No line of our worker, or torn by a full disk.
    items.put(session, project.id, project.mode, good, counted)
    became.update(added=counted.added, identical=counted.identical, empty=counted.empty, known=counted.known)
    count(project, became)


def _store_verdicts(
    session: Session, project: LabelProject, job: Job, events: Sequence[dict[str, Any]]
) -> None:
    """What a judge says of items: one verdict of each judge on each, always marked as a judge's."""
    annotator = f"{JUDGE}:{job.spec['options'].get('name')}"
    for event in events:
        try:
            label = _Verdict.model_validate(event)
        except ValidationError:
            continue  # No line of our worker, or torn by a full disk.
        item = session.get(LabelItem, label.item) if label.verdict else None
        if item is None or item.project_id != project.id or _has_judged(session, item.id, annotator):
            continue
        session.add(
            Annotation(
                project_id=project.id,
                item_id=item.id,
                annotator=annotator,
                origin=JUDGE,
                verdict=label.verdict,
                value={"said": label.said, "may_say_both_bad": label.may_say_both_bad},
                order=[0, 1],
                guidelines=guidelines_version(session, project.id),
                repeats_id=None,
                superseded_by_id=None,
                undone_at=None,
            )
        )


def _has_judged(session: Session, item: int, annotator: str) -> bool:
    session.flush()
    theirs = (Annotation.item_id == item, Annotation.annotator == annotator, current())
    return session.scalar(select(Annotation.id).where(*theirs).limit(1)) is not None


def count(project: LabelProject, became: Counter[str]) -> None:
    """Add to what became of the prompts of a project."""
    project.counts = dict(Counter(project.counts) + became)


def _project_of(session: Session, job: Job) -> LabelProject | None:
    options = job.spec.get("options", {})
    number = options.get("project") if job.kind == "data" else None
    return session.get(LabelProject, number) if isinstance(number, int) else None
