"""Tables of conversations: rounds of answers, and votes on them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from studio_core.base.tables.base import Table, now


class Chat(Table):
    """A conversation with two or more models side by side."""

    __tablename__ = "chat"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    models: Mapped[list[Any]]
    """Ids of the models, in the order of the columns."""
    settings: Mapped[dict[str, Any]]
    """System prompt, temperature, top-p, seed, length."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class ChatRound(Table):
    """One prompt of a conversation and the answer of each side."""

    __tablename__ = "chat_round"
    __table_args__ = (UniqueConstraint("chat_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    chat_id: Mapped[int] = mapped_column(ForeignKey("chat.id"), index=True)
    number: Mapped[int]
    prompt: Mapped[str]
    answers: Mapped[list[Any]]
    """One ``{"model", "answer", "tokens", "seconds", "state", "error"}`` for each side."""
    settings: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Vote(Table):
    """One person's verdict on one round. Never deleted: a new vote supersedes the old one."""

    __tablename__ = "vote"
    __table_args__ = (CheckConstraint("verdict IN ('a', 'b', 'tie', 'both_bad')", name="verdict"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("chat_round.id"), index=True)
    verdict: Mapped[str]
    left: Mapped[int]
    """Which two sides were judged: their places in ``ChatRound.answers``."""
    right: Mapped[int]
    record: Mapped[dict[str, Any]]
    """The preference record: ``{"prompt": [messages], "chosen": ..., "rejected": ...}``, or the pair."""
    superseded_by_id: Mapped[int | None] = mapped_column(ForeignKey("vote.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
