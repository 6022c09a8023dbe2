"""Chats: what is found of them, and what goes with one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studio_core.base.errors import BadInput
from studio_core.base.tables import Chat, ChatRound, Vote
from studio_core.keeping.runs import LONGEST_NAME
from studio_core.keeping.thing import Dependant, Thing

_PROMPTS = (
    select(func.group_concat(ChatRound.prompt))
    .where(ChatRound.chat_id == Chat.id)
    .correlate(Chat)
    .scalar_subquery()
)

_ROUNDS = select(func.count()).where(ChatRound.chat_id == Chat.id).correlate(Chat).scalar_subquery()


def rename(session: Session, chat: Any, name: str) -> None:
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise BadInput("keeping.bad_name", name=name[:LONGEST_NAME], longest=LONGEST_NAME)
    chat.title = name


def dependants(session: Session, chat: Any) -> Iterator[Dependant]:
    # A conversation that was begun from this one shows its rounds as its own.
    forks = select(Chat).where(Chat.settings["fork"]["chat"].as_integer() == chat.id)
    if names := [f"{one.id} · {one.title or '…'}" for one in session.scalars(forks)]:
        yield Dependant("forks", names, blocks=True)
    rounds = select(ChatRound.id).where(ChatRound.chat_id == chat.id)
    votes = select(func.count()).where(Vote.round_id.in_(rounds), Vote.superseded_by_id.is_(None))
    if n := session.scalar(votes):
        yield Dependant("votes", [str(n)])


CHATS = Thing(
    name="chat",
    table=Chat,
    label=lambda chat: f"{chat.id} · {chat.title}",
    searched=(Chat.title, _PROMPTS),
    lists=(),
    sorts={"name": Chat.title, "rounds": _ROUNDS},
    rename=rename,
    dependants=dependants,
    parts=(ChatRound.chat_id, Vote.round_id),
    # One that was opened and never begun has no title.
    listed=(Chat.title != "",),
)
