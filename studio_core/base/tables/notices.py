"""Tables of what people are told of runs, wherever they are: channels, notices on their way, links to one run."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from studio_core.base.tables.base import Table, now


class NoticeChannel(Table):
    """A way to tell one person: a webhook, a mail address, their open pages."""

    __tablename__ = "notice_channel"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"), index=True)
    """Whose it is; none: of whoever sits at a machine whose studio has no accounts."""
    kind: Mapped[str]
    """A module of ``studio_core.notices.channels``."""
    target: Mapped[str]
    """A URL or a mail address; empty of pages."""
    rules: Mapped[list[Any]]
    """Names of ``studio_core.notices.rules.RULES``."""
    language: Mapped[str]
    studio_address: Mapped[str]
    """Where its owner has the studio's pages, such as ``https://studio.example.org``."""
    seed: Mapped[str]
    """What its secret is derived from, with a key that is in no database."""
    event_id: Mapped[int]
    """The last change of a job's state that it was asked about."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class Notice(Table):
    """One thing that a channel tells. Its body never changes, however often it is sent."""

    __tablename__ = "notice"
    __table_args__ = (
        # The same cause is told once, whoever looks at it again.
        UniqueConstraint("channel_id", "cause", name="uq_notice_channel_id_cause"),
        Index("ix_notice_next_at", "next_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("notice_channel.id"))
    delivery: Mapped[str] = mapped_column(unique=True)
    """The same at each attempt, so that a receiver knows what it has."""
    cause: Mapped[str]
    """``event:7``, ``note:3:41``, ``waits:12``"""
    rule: Mapped[str]
    job_id: Mapped[int | None]
    """Not a key: a notice outlives a run that is deleted."""
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None]
    """When it is tried; none: it was sent, or given up."""
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None]
    """What the last attempt met."""


class RunLink(Table):
    """A link that shows one run to whoever has it. Revoked ones stay: they say who had made them."""

    __tablename__ = "run_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(index=True)
    """Not a key, so that deleting a run needs not ask for its links: they then show nothing."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    by: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    """SHA-256: a copy of the database opens no link."""
    answers: Mapped[bool]
    """Whether it shows the answers to the fixed prompts too."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime | None]
    """The last visit, give or take a minute."""
    revoked_at: Mapped[datetime | None]
