"""Tables of people: accounts, sessions, failed attempts to sign in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from studio_core.base.tables.base import Table, now


class User(Table):
    """A person who may sign in. Never deleted: votes and runs go on naming them."""

    __tablename__ = "user"
    __table_args__ = (CheckConstraint("role IN ('administrator', 'trainer', 'annotator')", name="role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    """The name without differences of case, by which it is found."""
    role: Mapped[str]
    """An ``accounts.Role``."""
    password_hash: Mapped[str]
    must_change: Mapped[bool] = mapped_column(default=False)
    """The password was made by an administrator, and has to be changed before anything else."""
    password_until: Mapped[datetime | None]
    """From when on a password that was made by an administrator opens nothing."""
    totp_secret: Mapped[str | None]
    """What codes of the authenticator app are computed from (RFC 6238), in base 32; none: no code is asked for."""
    totp_step: Mapped[int | None]
    """The time step of the last code that was used: none is taken twice."""
    disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
    signed_in_at: Mapped[datetime | None]


class UserSession(Table):
    """A browser in which somebody is signed in."""

    __tablename__ = "user_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    """SHA-256 of what the cookie holds: a copy of the database opens no session."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)
    """The last request, give or take a minute."""
    address: Mapped[str | None]
    browser: Mapped[str | None]
    """What the browser calls itself, shortened: for its owner to tell sessions apart."""


class SignInFailure(Table):
    """How often in a row somebody failed to sign in, by name and by address."""

    __tablename__ = "sign_in_failure"

    key: Mapped[str] = mapped_column(primary_key=True)
    """``name:alice`` or ``address:10.0.0.7``."""
    count: Mapped[int]
    last_at: Mapped[datetime]
    locked_until: Mapped[datetime]
