"""Signing in and out: passwords checked, failures counted, sessions kept.

What the browser holds is a random token, signed with a key that lies beside the
database; the database holds its hash. A failure is counted before the password is
looked at, so that a thousand attempts at once are counted as a thousand.
"""

from __future__ import annotations

import hashlib
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

from studio_core.base import clock
from studio_core.base.errors import BadInput, Conflict, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import User, UserSession
from studio_core.people import accounts
from studio_core.people.accounts import Account, account_of, key_of, normal
from studio_core.people.second_factor import spend
from studio_core.people.sign_in_failures import Limit, count, device_token, forgive, known_device, limits

if TYPE_CHECKING:
    from itsdangerous import Signer

log = logging.getLogger("tunesmith.accounts")

# As many as the hash that signs with it has.
_KEY_BYTES = 32
_AGENT = 200
"""Characters of what a browser calls itself that are kept: it may say what it will."""
_SESSION, _DEVICE = "tunesmith.session", "tunesmith.device"
# Written at each request it would be a commit for every key press of an annotator.
_SEEN_EVERY = timedelta(minutes=1)
_HASHING = BoundedSemaphore(2)
"""One check takes 64 MB: a crowd at the sign-in page waits, and does not fill the memory."""


class LockedOut(Conflict):
    """Too many failures; ``values["seconds"]`` until the next attempt counts."""


def sign_in(
    studio: Studio,
    name: str,
    password: str,
    address: str,
    *,
    code: str = "",
    device: str | None = None,
    browser: str = "",
) -> tuple[Account, str]:
    """The account and its new session's cookie.

    One sentence for an unknown name, a wrong password and a disabled account, after the same work.
    ``code``: of the authenticator app, where the account has one. ``device``: the cookie of ``device_cookie``, if
    there is one. ``browser``: what the browser calls itself.
    """
    user, counted = _check_password(studio, name, password, address, device)
    cookie = _begin(studio, user, password, counted, code, address, browser)
    log.info("sign-in of %r from %s", user.name, address)
    return account_of(user), cookie


def confirm(
    studio: Studio, account: Account, password: str, address: str, device: str | None = None
) -> Account:
    """Whoever is signed in gives the password once more, before something that cannot be taken back.

    The account as it is now. A wrong password counts as a failure to sign in.
    """
    try:
        user, counted = _check_password(studio, account.name, password, address, device)
    except LockedOut:
        raise
    except BadInput as wrong:
        raise BadInput("accounts.wrong_again") from wrong
    with studio.db.write() as session:
        forgive(session, counted)
    return account_of(user)


def _check_password(
    studio: Studio, name: str, password: str, address: str, device: str | None
) -> tuple[User, dict[str, datetime]]:
    """The user whose password it is, and what was counted as a failure meanwhile; raises ``BadInput``."""
    with studio.db.read() as session:
        user = session.scalar(select(User).where(User.key == key_of(name)))
    known = known_device(user, _unsign(_signer(studio.settings.home, _DEVICE), device))
    # Before the slow check: see the head of this module.
    counted = _count(studio, limits(key_of(name), address, known), name, address)
    nobodys = _nobodys_hash()  # Made for every attempt, so that the first does not stand out either.
    fits = _fits(user.password_hash if user else nobodys, password)
    # All three together and after the hashing, so that neither sentence nor time tells which it was.
    if user is None or not fits or user.disabled:
        log.warning("sign-in as %r from %s refused", name[:64], address)
        raise BadInput("accounts.wrong")
    # Only to whoever knows the password: to others this would tell that the account is there.
    if user.password_until is not None and user.password_until < clock.now():
        raise BadInput("accounts.password_expired")
    return user, counted


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
    # An idle limit alone would let a stolen cookie live for ever, as long as it is used.
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


def device_cookie(studio: Studio, account: Account) -> str:
    """What a browser keeps for ``DEVICE_DAYS`` to be known by: failures elsewhere do not slow it."""
    user = accounts.find(studio, account.name)
    return _signer(studio.settings.home, _DEVICE).sign(device_token(user)).decode()


def sign_out(studio: Studio, cookie: str | None) -> None:
    """End the session of a cookie; nothing happens if it is nobody's."""
    token_hash = _token_hash(studio, cookie)
    if token_hash is None:
        return
    with studio.db.write() as session:
        session.execute(delete(UserSession).where(UserSession.token_hash == token_hash))


def change_password(
    studio: Studio, account: Account, old: str, new: str, address: str, browser: str = ""
) -> str:
    """A new password by the one who knows the old one: ends all their sessions and gives the cookie of a new one.

    A wrong old password counts as a failure to sign in.
    """
    confirm(studio, account, old, address)
    if normal(old) == normal(new):
        raise BadInput("accounts.password_same")
    accounts.set_password(studio, account.name, new)
    return _open_session(studio, account, address, browser)


def sessions(studio: Studio, account: Account) -> list[UserSession]:
    """Where somebody is signed in, the last used first."""
    own = select(UserSession).where(UserSession.user_id == account.id)
    with studio.db.read() as session:
        return list(session.scalars(own.order_by(UserSession.seen_at.desc())))


def is_session(studio: Studio, cookie: str | None, opened: UserSession) -> bool:
    """Whether a cookie is that session's."""
    return _token_hash(studio, cookie) == opened.token_hash


def end_others(studio: Studio, account: Account, cookie: str | None) -> None:
    """Sign somebody out everywhere but here."""
    if account.id is None:
        return
    with studio.db.write() as session:
        accounts.sign_out_everywhere(session, account.id, but=_token_hash(studio, cookie) or "")
    log.info("other sessions of %r ended", account.name)


def _begin(
    studio: Studio,
    user: User,
    password: str,
    counted: dict[str, datetime],
    code: str,
    address: str,
    browser: str,
) -> str:
    """A new session of whoever gave the right password, and the code that is asked for."""
    now = clock.now()
    stale = now - timedelta(hours=studio.settings.session_hours)
    outdated = accounts.hasher().check_needs_rehash(user.password_hash)
    # Parameters grow over the years; the password is in hand only now.
    # Outside the transaction, since it is slow.
    fresh_hash = accounts.hasher().hash(normal(password)) if outdated else None
    with studio.db.write() as session:
        # Between the check and this moment the account may have been disabled, or its password changed.
        same = select(User).where(
            User.id == user.id, ~User.disabled, User.password_hash == user.password_hash
        )
        current = session.scalar(same)
        if current is None:
            raise BadInput("accounts.wrong")
        spend(current, code)
        current.signed_in_at = now
        current.password_hash = fresh_hash or current.password_hash
        # Here and not by a timer: sessions only grow when somebody signs in.
        session.execute(delete(UserSession).where(UserSession.created_at < stale))
        token = _new_session(session, user.id, address, browser)
        forgive(session, counted)
    return _signer(studio.settings.home, _SESSION).sign(token).decode()


def _open_session(studio: Studio, account: Account, address: str, browser: str) -> str:
    """The cookie of a new session for whoever is known already."""
    assert account.id is not None
    with studio.db.write() as session:
        token = _new_session(session, account.id, address, browser)
    return _signer(studio.settings.home, _SESSION).sign(token).decode()


def _new_session(session: Session, user_id: int, address: str, browser: str) -> str:
    token, now = secrets.token_urlsafe(32), clock.now()
    # A browser may call itself what it will: no line breaks into a list, no page of text into a row.
    agent = "".join(sign for sign in browser if sign.isprintable())[:_AGENT]
    session.add(
        UserSession(
            user_id=user_id,
            token_hash=_sha256(token),
            created_at=now,
            seen_at=now,
            address=address[:64],
            browser=agent,
        )
    )
    return token


def _count(studio: Studio, counted_for: dict[str, Limit], name: str, address: str) -> dict[str, datetime]:
    counted = count(studio, counted_for)
    if isinstance(counted, datetime):
        log.warning("sign-in as %r from %s refused: too early, not before %s", name[:64], address, counted)
        # One more than is left, so that nobody comes again a moment too early.
        seconds = int((counted - clock.now()).total_seconds()) + 1
        raise LockedOut("accounts.locked", seconds=seconds)
    return counted


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
    token = _unsign(_signer(studio.settings.home, _SESSION), cookie)
    return None if token is None else _sha256(token)


def _unsign(signer: Signer, cookie: str | None) -> str | None:
    """What a cookie says, if the signature is ours."""
    from itsdangerous import BadSignature

    # Ours have about a hundred signs; no longer one is hashed.
    if not cookie or len(cookie) > 512:
        return None
    try:
        return signer.unsign(cookie).decode()
    except (BadSignature, UnicodeDecodeError):
        return None


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@lru_cache(maxsize=16)
def _signer(home: Path, salt: str) -> Signer:
    from itsdangerous import Signer

    return Signer(secret_key(home), salt=salt, digest_method=hashlib.sha256)


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
