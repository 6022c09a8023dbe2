"""The people who may sign in, and what each may do.

Without any account the studio belongs to whoever sits at this machine: ``LOCAL``.
With one, nobody gets past the sign-in page without it. Accounts are disabled, not
deleted, and an administrator is always left.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from studio_core.base import clock
from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import User, UserSession
from studio_core.people.sign_in_failures import forget_name

if TYPE_CHECKING:
    from argon2 import PasswordHasher

log = logging.getLogger("tunesmith.accounts")

SHORTEST, LONGEST = 10, 256
"""Characters of a password. A phrase of some words is better than a few odd signs."""
ONE_TIME_LASTS = timedelta(days=3)
"""Over a weekend; one that was not used by then may lie in somebody's mail."""
# Begins with a letter or digit, up to 40 signs: fits the list of
# accounts, and no name looks like another with a space before it.
_NAME = re.compile(r"[^\W_][\w.@-]{0,39}")
_PLAIN = "abcdefghjkmnpqrstuvwxyz23456789"
"""Signs that are not mistaken for each other when they are read out."""

# The few that pass the other rules and stand at the top of every list of leaked passwords.
_KNOWN_TO_ALL = {"1234567890", "0123456789", "0987654321", "qwertyuiop", "password12", "password123"} | {
    f"{word}{end}"
    for word in ("password1234", "qwerty123456", "tunesmith", "letmein")
    for end in ("", "1", "123")
}


class Role(StrEnum):
    ADMINISTRATOR = "administrator"
    """May do everything."""
    TRAINER = "trainer"
    """Everything but accounts and the settings of the whole studio."""
    ANNOTATOR = "annotator"
    """Labels, and sees nothing else."""


@dataclass(frozen=True)
class Account:
    """A person as the rest of the studio knows them."""

    id: int | None
    name: str
    role: Role
    must_change: bool = False
    """Has to choose a password before anything else."""


LOCAL = Account(None, "me", Role.ADMINISTRATOR)
"""Whoever sits at a machine whose studio has no accounts."""


def any_accounts(studio: Studio) -> bool:
    with studio.db.read() as session:
        return session.scalar(select(User.id).limit(1)) is not None


def all_accounts(studio: Studio) -> list[User]:
    """Everybody, in the order of their names."""
    with studio.db.read() as session:
        return list(session.scalars(select(User).order_by(User.key)))


def find(studio: Studio, name: str) -> User:
    with studio.db.read() as session:
        return _row(session, name)


def add(studio: Studio, name: str, role: str, password: str, one_time: bool = False) -> User:
    """A new account; the first has to be an administrator's. ``one_time``: it must be changed at first use."""
    name = unicodedata.normalize("NFKC", name).strip()
    if not _NAME.fullmatch(name):
        raise BadInput("accounts.bad_name", name=name)
    # Hashed before the write lock is taken: it takes tens of milliseconds on purpose.
    wanted, hashed = _role(role), hashed_password(name, password)
    with studio.db.write() as session:
        if session.scalar(select(User.id).where(User.key == key_of(name))) is not None:
            raise Conflict("accounts.exists", name=name)
        # Or the studio would be closed with nobody who could open it.
        if wanted is not Role.ADMINISTRATOR and session.scalar(select(User.id).limit(1)) is None:
            raise BadInput("accounts.first_is_administrator", role=wanted)
        user = User(
            name=name,
            key=key_of(name),
            role=wanted,
            password_hash=hashed,
            must_change=one_time,
            password_until=_one_time_until() if one_time else None,
            disabled=False,
        )
        session.add(user)
    log.info("account %r added as %s", name, wanted)
    return user


def set_disabled(studio: Studio, name: str, disabled: bool) -> User:
    """Let somebody in no longer, or again. Whoever is disabled is signed out at once, everywhere."""
    with studio.db.write() as session:
        user = _row(session, name)
        if disabled:
            _keep_an_administrator(session, user)
            sign_out_everywhere(session, user.id)
        user.disabled = disabled
    log.info("account %r %s", user.name, "disabled" if disabled else "enabled")
    return user


def set_role(studio: Studio, name: str, role: str) -> User:
    """Change what somebody may do, from their next request on."""
    wanted = _role(role)
    with studio.db.write() as session:
        user = _row(session, name)
        if wanted is not Role.ADMINISTRATOR:
            _keep_an_administrator(session, user)
        user.role = wanted
    log.info("account %r is %s now", user.name, wanted)
    return user


def set_password(studio: Studio, name: str, password: str, one_time: bool = False) -> User:
    """A new password; whoever was signed in with the old one is signed out, and a lock-out is lifted."""
    hashed = hashed_password(name, password)
    with studio.db.write() as session:
        user = _row(session, name)
        user.password_hash, user.must_change = hashed, one_time
        user.password_until = _one_time_until() if one_time else None
        # In the same transaction: whoever stole the old password must not stay for a moment.
        sign_out_everywhere(session, user.id)
        forget_name(session, user.key)
    log.info("password of account %r set", user.name)
    return user


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def one_time_password() -> str:
    """Such as ``k3vd-9xqm-tr7w-hc2p``: 79 bits, and easily read out."""
    return "-".join("".join(secrets.choice(_PLAIN) for _ in range(4)) for _ in range(4))


def _one_time_until() -> datetime:
    return clock.now() + ONE_TIME_LASTS


def account_of(user: User) -> Account:
    return Account(user.id, user.name, Role(user.role), user.must_change)


def key_of(name: str) -> str:
    # So that "Ann" and "ａｎｎ" are one account and nobody can pass for another.
    return unicodedata.normalize("NFKC", name).strip().casefold()


def normal(password: str) -> str:
    """The same password, however the keyboard composed its signs."""
    return unicodedata.normalize("NFKC", password)


def hashed_password(name: str, password: str) -> str:
    """What is stored of a password; refuses one that is guessed easily."""
    password = normal(password)
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadInput("accounts.password_length", least=SHORTEST, most=LONGEST)
    low, key = password.casefold(), key_of(name)
    # Five different signs: "aaaaabbbbb" has the length and nothing else.
    if low in _KNOWN_TO_ALL or len(set(low)) < 5 or (len(key) > 3 and key in low):
        raise BadInput("accounts.password_weak")
    return hasher().hash(password)


@cache
def hasher() -> PasswordHasher:
    """Argon2id with the parameters that its library recommends; imported when it is needed."""
    from argon2 import PasswordHasher

    return PasswordHasher()


def sign_out_everywhere(session: Session, user_id: int, but: str = "") -> None:
    """End all sessions of a user, but the one with that hash."""
    session.execute(delete(UserSession).where(UserSession.user_id == user_id, UserSession.token_hash != but))


def _row(session: Session, name: str) -> User:
    user = session.scalar(select(User).where(User.key == key_of(name)))
    if user is None:
        raise NotFound("accounts.unknown", name=name)
    return user


def _role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError:
        raise BadInput("accounts.bad_role", role=role, roles=", ".join(Role)) from None


def _keep_an_administrator(session: Session, user: User) -> None:
    others = select(func.count()).select_from(User)
    # Within the transaction, or two administrators who disable each other would leave none.
    others = others.where(User.role == Role.ADMINISTRATOR, ~User.disabled, User.id != user.id)
    if user.role == Role.ADMINISTRATOR and not session.scalar(others):
        raise Conflict("accounts.last_administrator", name=user.name)
