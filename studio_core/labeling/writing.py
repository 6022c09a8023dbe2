"""What jobs write for projects: items to be judged, and what a judge says of them.

It reaches the database with the offset of the line that it came in, so that each is stored exactly once,
whenever the engine dies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from studio_core.data.shapes import Message
from studio_core.errors import BadInput
from studio_core.labeling import items
from studio_core.labeling.items import Added, Answer, NewItem
from studio_core.tables import Job, LabelProject

ANSWERS = "answers"
"""The operation that writes answers to be judged."""


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
    dropped: Literal["", "failed", "identical", "same_score"] = ""


def store(session: Session, job: Job, events: Sequence[dict[str, Any]]) -> None:
    """Store the items among the events of a job, and count what became of them."""
    written = [event for event in events if event["type"] == "item"]
    project = _project_of(session, job) if written else None
    if project is None:
        return
    counted, became = Added(), Counter[str]()
    good: list[NewItem] = []
    for event in written:
        try:
            item = _Item.model_validate(event)
            if item.dropped:
                became[item.dropped] += 1
            else:
                answers = [Answer(one.text, one.source, model=one.model) for one in item.answers]
                prompt: list[Message] = [{"role": one.role, "content": one.content} for one in item.prompt]
                good.append(items.checked(NewItem(prompt, answers), project.mode))
        except (ValidationError, BadInput):
            became["failed"] += 1  # No line of our worker, or torn by a full disk.
    items.put(session, project.id, project.mode, good, counted)
    became.update(added=counted.added, identical=counted.identical, empty=counted.empty, known=counted.known)
    count(project, became)


def count(project: LabelProject, became: Counter[str]) -> None:
    """Add to what became of the prompts of a project."""
    project.counts = dict(Counter(project.counts) + became)


def _project_of(session: Session, job: Job) -> LabelProject | None:
    options = job.spec.get("options", {})
    number = options.get("project") if job.kind == "data" else None
    return session.get(LabelProject, number) if isinstance(number, int) else None
