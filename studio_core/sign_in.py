"""Signing in and out: passwords checked, failures counted, sessions kept.

What the browser holds is a random token, signed with a key that lies beside the
database; the database holds its hash. A failure is counted before the password is
looked at, so that a thousand attempts at once are counted as a thousand.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import os
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from studio_core import accounts, clock
from studio_core.accounts import Account, account_of, key_of, normal
from studio_core.errors import BadInput, Conflict, StudioError
from studio_core.studio import Studio
from studio_core.tables import SignInFailure, User, UserSession

if TYPE_CHECKING:
    from itsdangerous import Signer

log = logging.getLogger("tunesmith.accounts")

FREE_OF_NAME, FREE_OF_ADDRESS = 5, 20
"""Failures in a row that cost nothing."""
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=30), timedelta(minutes=15)
"""The next failure costs the first delay, each further one twice the delay before."""
FORGOTTEN = timedelta(hours=24)
_KEY_BYTES = 32
_SEEN_EVERY = timedelta(minutes=1)
_HASHING = BoundedSemaphore(2)
"""One check takes 64 MB: a crowd at the sign-in page waits, and does not fill the memory."""


class LockedOut(Conflict):
    """Too many failures; ``values["seconds"]`` until the next attempt counts."""


def sign_in(studio: Studio, name: str, password: str, address: str) -> tuple[Account, str]:
    """The account and its new session's cookie.

    One sentence for an unknown name, a wrong password and a disabled account, after the same work.
    """
    keys = {f"name:{key_of(name)[:64]}": FREE_OF_NAME, f"address:{_network(address)}": FREE_OF_ADDRESS}
    counted = _count(studio, keys, name, address)
    with studio.db.read() as session:
        user = session.scalar(select(User).where(User.key == key_of(name)))
    nobodys = _nobodys_hash()  # Made for every attempt, so that the first does not stand out either.
    fits = _fits(user.password_hash if user else nobodys, password)
    if user is None or not fits or user.disabled:
        log.warning("sign-in as %r from %s refused", name[:64], address)
        raise BadInput("accounts.wrong")
    cookie = _begin(studio, user, password, counted)
    log.info("sign-in of %r from %s", user.name, address)
    return account_of(user), cookie


def account_behind(studio: Studio, cookie: str | None) -> Account | None:
    """Whose session a cookie is; nobody's if it is forged, ended, too old, or its account disabled."""
    token_hash = _token_hash(studio, cookie)
    if token_hash is None:
        return None
    now, settings = clock.now(), studio.settings
    with studio.db.read() as session:
        found = session.execute(
            select(UserSession, User).join(User).where(UserSession.token_hash == token_hash)
        ).first()
    if found is None:
        return None
    opened, user = found
    idle, age = now - opened.seen_at, now - opened.created_at
    if (
        user.disabled
        or idle > timedelta(hours=settings.session_idle_hours)
        or age > timedelta(hours=settings.session_hours)
    ):
        return None
    if idle > _SEEN_EVERY:
        with studio.db.write() as session:
            session.execute(update(UserSession).where(UserSession.id == opened.id).values(seen_at=now))
    return account_of(user)


def sign_out(studio: Studio, cookie: str | None) -> None:
    """End the session of a cookie; nothing happens if it is nobody's."""
    token_hash = _token_hash(studio, cookie)
    if token_hash is None:
        return
    with studio.db.write() as session:
        session.execute(delete(UserSession).where(UserSession.token_hash == token_hash))


def change_password(studio: Studio, account: Account, old: str, new: str, address: str) -> str:
    """A new password by the one who knows the old one: ends all their sessions and gives the cookie of a new one.

    A wrong old password counts as a failure to sign in.
    """
    try:
        sign_in(studio, account.name, old, address)
    except LockedOut:
        raise
    except BadInput as wrong:
        raise BadInput("accounts.wrong_old") from wrong
    if normal(old) == normal(new):
        raise BadInput("accounts.password_same")
    accounts.set_password(studio, account.name, new)
    return sign_in(studio, account.name, new, address)[1]


def _begin(studio: Studio, user: User, password: str, counted: dict[str, datetime]) -> str:
    token, now = secrets.token_urlsafe(32), clock.now()
    stale = now - timedelta(hours=studio.settings.session_hours)
    outdated = accounts.hasher().check_needs_rehash(user.password_hash)
    fresh_hash = accounts.hasher().hash(normal(password)) if outdated else None
    with studio.db.write() as session:
        # Between the check and this moment the account may have been disabled, or its password changed.
        same = select(User).where(
            User.id == user.id, ~User.disabled, User.password_hash == user.password_hash
        )
        current = session.scalar(same)
        if current is None:
            raise BadInput("accounts.wrong")
        current.signed_in_at = now
        current.password_hash = fresh_hash or current.password_hash
        session.execute(delete(UserSession).where(UserSession.created_at < stale))
        session.add(UserSession(user_id=user.id, token_hash=_sha256(token), created_at=now, seen_at=now))
        _forgive(session, counted)
    return _signer(studio.settings.home).sign(token).decode()


def _count(studio: Studio, keys: dict[str, int], name: str, address: str) -> dict[str, datetime]:
    """Count an attempt as a failure until it is known to be none; refuse it while a lock-out lasts.

    Returns until when this attempt locks out, for each key.
    """
    now = clock.now()
    with studio.db.write() as session:
        session.execute(delete(SignInFailure).where(SignInFailure.last_at < now - FORGOTTEN))
        found = session.scalars(select(SignInFailure).where(SignInFailure.key.in_(keys)))
        rows = {row.key: row for row in found}
        until = max((row.locked_until for row in rows.values()), default=now)
        if until <= now:
            for key, free in keys.items():
                row = rows.setdefault(key, SignInFailure(key=key, count=0, last_at=now, locked_until=now))
                row.count, row.last_at = row.count + 1, now
                row.locked_until = now + _delay(row.count - free)
                session.add(row)
    if until > now:
        log.warning("sign-in as %r from %s refused: locked out until %s", name[:64], address, until)
        raise LockedOut("accounts.locked", seconds=int((until - now).total_seconds()) + 1)
    return {key: row.locked_until for key, row in rows.items()}


def _delay(beyond: int) -> timedelta:
    """How long a failure locks out: not at all for the free ones."""
    if beyond <= 0:
        return timedelta()
    doubled: int = 2 ** min(beyond - 1, 16)
    return min(LONGEST_DELAY, FIRST_DELAY * doubled)


def _forgive(session: Session, counted: dict[str, datetime]) -> None:
    """After a success: forget the failures of the name. From the address, only this attempt is taken back."""
    for row in session.scalars(select(SignInFailure).where(SignInFailure.key.in_(counted))):
        if row.key.startswith("name:"):
            session.delete(row)
            continue
        row.count -= 1
        if row.locked_until == counted[row.key]:  # Else another attempt has locked it meanwhile.
            row.locked_until = row.last_at


def _network(address: str) -> str:
    """An address as it is counted: whoever has one IPv6 address has all of its /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 6:
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return address


def _fits(stored: str, password: str) -> bool:
    if len(password) > accounts.LONGEST:
        password = ""  # No such password was ever taken; the work is the same.
    try:
        with _HASHING:
            return accounts.hasher().verify(stored, normal(password))
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    """What an unknown name's password is compared with, so that it takes as long as a known one's."""
    return accounts.hasher().hash(secrets.token_urlsafe(32))


def _token_hash(studio: Studio, cookie: str | None) -> str | None:
    """The hash of a cookie's token, if the signature is ours."""
    from itsdangerous import BadSignature

    if not cookie or len(cookie) > 512:
        return None
    try:
        return _sha256(_signer(studio.settings.home).unsign(cookie).decode())
    except (BadSignature, UnicodeDecodeError):
        return None


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@lru_cache(maxsize=16)
def _signer(home: Path) -> Signer:
    from itsdangerous import Signer

    return Signer(secret_key(home), salt="tunesmith.session", digest_method=hashlib.sha256)


def key_file(home: Path) -> Path:
    return home / "secret.key"


def secret_key(home: Path) -> bytes:
    """The key that signs cookies, made once; readable by the owner only. Without it all sessions end."""
    file = key_file(home)
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}.partial")
    if not file.exists():
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as writing:
            writing.write(secrets.token_bytes(_KEY_BYTES))
            writing.flush()
            os.fsync(writing.fileno())
        with suppress(FileExistsError):
            os.link(fresh, file)  # Unlike a rename, it never replaces the key of another process.
        fresh.unlink()
    key = file.read_bytes()
    if len(key) < _KEY_BYTES:
        raise StudioError("accounts.key_damaged", path=file)
    return key
