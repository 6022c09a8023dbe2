"""Items of a project: prompts with their answers, each once; too alike answers are dropped and counted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import ceil
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from studio_core.base import clock
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelItem, LabelProject
from studio_core.data.shapes import Message
from studio_core.labeling.projects import load_project

# A write holds the only lock of SQLite; one of this size is not noticed between two keys.
_AT_ONCE = 500
"""Items written in one transaction: annotators are not kept waiting."""


@dataclass(frozen=True)
class Answer:
    text: str
    source: str
    """Name of the source in the project, or where it was imported from."""
    origin: str = "model"
    """``model``, ``dataset`` or ``human_edit``."""
    model: int | None = None
    """The studio's model that wrote it."""


@dataclass(frozen=True)
class NewItem:
    prompt: list[Message]
    answers: Sequence[Answer]


@dataclass
class Added:
    added: int = 0
    identical: int = 0
    """Items whose answers are all the same: there is nothing to prefer."""
    empty: int = 0
    """Items with an answer that says nothing."""
    known: int = 0
    """Items that the project has already."""
    numbers: list[int] = field(default_factory=list)
    """Of the first few that were added."""


def add(studio: Studio, project: str | int, items: Iterable[NewItem]) -> Added:
    """Append items; the same prompt with the same answers never comes twice."""
    counted = Added()
    with studio.db.read() as session:
        row = load_project(session, project)
    for batch in _batches(items):
        with studio.db.write() as session:
            put(session, row.id, row.mode, batch, counted)
    return counted


def _batches(items: Iterable[NewItem]) -> Iterator[list[NewItem]]:
    rest = iter(items)
    while batch := list(islice(rest, _AT_ONCE)):
        yield batch


def put(session: Session, project_id: int, mode: str, batch: Sequence[NewItem], counted: Added) -> None:
    """As ``add``, within a transaction that has more to do."""
    last = session.scalar(select(func.max(LabelItem.number)).where(LabelItem.project_id == project_id)) or 0
    rows: dict[str, dict[str, object]] = {}
    for item in batch:
        checked(item, mode)
        texts = [answer.text.strip() for answer in item.answers]
        content = content_hash(item.prompt, texts)
        if not all(texts):
            counted.empty += 1
        elif len(texts) > 1 and len(set(texts)) == 1:
            counted.identical += 1
        # Twice in one batch: the database would refuse the second with all others.
        elif content in rows:
            counted.known += 1
        else:
            rows[content] = {
                "project_id": project_id,
                "prompt": item.prompt,
                "prompt_hash": prompt_hash(item.prompt),
                "content_hash": content,
                "answers": [vars(answer) for answer in item.answers],
                "votes": 0,
                "created_at": clock.now(),
            }
    hashes = set(
        session.scalars(
            select(LabelItem.content_hash).where(
                LabelItem.project_id == project_id, LabelItem.content_hash.in_(list(rows))
            )
        )
    )
    counted.known += len(hashes)
    new = [row for content, row in rows.items() if content not in hashes]
    for number, row in enumerate(new, start=last + 1):
        row["number"] = number
    if new:
        session.execute(insert(LabelItem), new)
    counted.added += len(new)
    counted.numbers += list(range(last + 1, last + 1 + len(new)))[: max(0, 10 - len(counted.numbers))]


def add_one(session: Session, project: LabelProject, item: NewItem) -> LabelItem:
    """Append an item within a transaction that has more to do; or the one like it that is there already."""
    put(session, project.id, project.mode, [item], counted := Added())
    if counted.identical or counted.empty:
        raise BadInput("labeling.nothing_to_prefer")
    content = content_hash(item.prompt, [answer.text.strip() for answer in item.answers])
    existing = session.scalar(
        select(LabelItem).where(LabelItem.project_id == project.id, LabelItem.content_hash == content)
    )
    assert existing is not None
    return existing


def checked(item: NewItem, mode: str) -> NewItem:
    """The item itself; raises ``BadInput`` if a project of this mode cannot show it."""
    wanted = {"pairs": "2", "rate": "1", "rank": "3 to 8"}[mode]
    fits = {
        "pairs": len(item.answers) == 2,
        "rate": len(item.answers) == 1,
        # Eight at most to rank: letters A to H, and nobody orders more at a time.
        "rank": 3 <= len(item.answers) <= 8,
    }
    if not fits[mode]:
        raise BadInput("labeling.wrong_answers", mode=mode, wanted=wanted, given=len(item.answers))
    if not item.prompt or item.prompt[-1]["role"] != "user":
        raise BadInput("labeling.no_prompt")
    return item


def prompt_hash(prompt: Sequence[Message]) -> str:
    """Decides on which side a prompt is: the same whatever the case, the spaces and the system prompt.

    Sources have system prompts of their own; what a model was trained on under one it knows under any other.
    """
    return whole_hash([message for message in prompt if message["role"] != "system"])


def whole_hash(prompt: Sequence[Mapping[str, Any]]) -> str:
    """The same for prompts that differ in case and spaces only: each of these is asked once."""
    texts = [
        [message["role"], " ".join(message["content"].split()).casefold(), *_calls(message)]
        for message in prompt
    ]
    return hashlib.sha256(json.dumps(texts, ensure_ascii=False).encode()).hexdigest()


def _calls(message: Mapping[str, Any]) -> Sequence[str]:
    return [message["tool_calls"]] if message.get("tool_calls") else []


def content_hash(prompt: Sequence[Mapping[str, Any]], answers: Sequence[str]) -> str:
    hashes = [whole_hash(prompt), *sorted(answers)]
    return hashlib.sha256(json.dumps(hashes, ensure_ascii=False).encode()).hexdigest()


def is_held_out(prompt_hash: str, share: float) -> bool:
    """Whether a prompt is kept for comparing models: decided by the prompt alone, so never on two sides."""
    return int(prompt_hash[:8], 16) < share * 2**32


def get(studio: Studio, item_id: int) -> LabelItem | None:
    with studio.db.read() as session:
        return session.get(LabelItem, item_id)


def count(studio: Studio, project_id: int) -> int:
    with studio.db.read() as session:
        return session.scalar(select(func.count()).where(LabelItem.project_id == project_id)) or 0


def prompt_hashes(studio: Studio, project_ids: Sequence[int]) -> set[str]:
    """Of all prompts that these projects have items for."""
    with studio.db.read() as session:
        query = select(LabelItem.prompt_hash).where(LabelItem.project_id.in_(project_ids)).distinct()
        return set(session.scalars(query))


def held_out_prompts(studio: Studio, project_id: int, share: float) -> Sequence[list[Message]]:
    """Prompts of a project's items that are kept from training, in the order of the items."""
    # As ``is_held_out``, of the digits themselves.
    # Text compares as its number does: both have eight digits.
    below = f"{ceil(share * 2**32):08x}"
    query = select(LabelItem.prompt).where(LabelItem.project_id == project_id, LabelItem.prompt_hash < below)
    with studio.db.read() as session:
        return session.scalars(query.order_by(LabelItem.number)).all()


def page(studio: Studio, project_id: int, after: int = 0, limit: int = 50) -> Sequence[LabelItem]:
    """Items in order, after the number ``after``."""
    query = (
        select(LabelItem)
        .where(LabelItem.project_id == project_id, LabelItem.number > after)
        .order_by(LabelItem.number)
        .limit(limit)
    )
    with studio.db.read() as session:
        return session.scalars(query).all()
