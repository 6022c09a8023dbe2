"""Failures to sign in, and how they slow the next attempt down.

They are counted where the attempt comes from: for a name together with a network, so that strangers cannot keep
an administrator out; more loosely for the name and for the network alone, against those who try one name from
many networks or many names from one. Nothing is locked for good: an attempt that comes too early is refused and
told when the next one counts. A browser that somebody has signed in with before is known by a cookie and counted by
itself, so that no crowd of strangers slows its owner.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from studio_core.base import clock
from studio_core.base.studio import Studio
from studio_core.base.tables import SignInFailure, User

# A typing error of yesterday does not slow anybody today; a guesser gains nothing by a day's patience.
FORGOTTEN = timedelta(hours=24)
# Half a year: longer than holidays, short enough that a browser that was sold is forgotten.
DEVICE_DAYS = 180


@dataclass(frozen=True)
class Limit:
    free: int
    """Failures in a row that cost nothing."""
    first: timedelta
    """What the next failure costs; each further one costs twice as much."""
    longest: timedelta


PAIR = Limit(5, timedelta(seconds=10), timedelta(minutes=1))
"""A name from one network: 1,440 guesses a day at the most, of passwords of at least 12 characters."""
# Many networks against one name: the owner, from a browser that is not known, waits 5 seconds at most.
NAME = Limit(50, timedelta(seconds=1), timedelta(seconds=5))
NETWORK = Limit(20, timedelta(seconds=1), timedelta(seconds=5))
"""A household or an office shares one: its people must get in while one of them tries names."""
DEVICE = PAIR


def limits(name_key: str, address: str, device: str | None) -> dict[str, Limit]:
    """What an attempt counts for. ``device``: of a known browser, as ``known_device`` gives it."""
    # Attempts with names of a megabyte must not fill the table.
    name = name_key[:64]
    if device is not None:
        return {f"device:{device}": DEVICE}
    network = _network(address)
    return {f"pair:{name} {network}": PAIR, f"name:{name}": NAME, f"address:{network}": NETWORK}


def count(studio: Studio, counted_for: dict[str, Limit]) -> dict[str, datetime] | datetime:
    """Count an attempt as a failure until it is known to be none: until when it slows, for each key.

    While an earlier one slows, nothing is counted, and the moment is returned from which attempts count again.
    """
    with studio.db.write() as session:
        # Read in here, where attempts come one after the other: one that had waited since before another was counted
        # would find that one's moment to lie ahead, and itself too early.
        now = clock.now()
        # Cleared at each attempt: the table holds one day's failures at most.
        session.execute(delete(SignInFailure).where(SignInFailure.last_at < now - FORGOTTEN))
        earlier = session.scalars(select(SignInFailure).where(SignInFailure.key.in_(counted_for)))
        rows = {row.key: row for row in earlier}
        until = max((row.locked_until for row in rows.values()), default=now)
        if until > now:
            return until
        for key, limit in counted_for.items():
            row = rows.setdefault(key, SignInFailure(key=key, count=0, last_at=now, locked_until=now))
            # A failure until it is known to be none: a thousand attempts at once are counted as such.
            row.count, row.last_at = row.count + 1, now
            row.locked_until = now + _delay(row.count - limit.free, limit)
            session.add(row)
    return {key: row.locked_until for key, row in rows.items()}


def forgive(session: Session, counted: dict[str, datetime]) -> None:
    """After a success: forget the failures of the name here.

    Of name and network alone only this attempt is taken back: an own account washes no address clean.
    """
    for row in session.scalars(select(SignInFailure).where(SignInFailure.key.in_(counted))):
        if row.key.startswith(("pair:", "device:")):
            session.delete(row)
            continue
        row.count -= 1
        if row.locked_until == counted[row.key]:  # Else another attempt has slowed it meanwhile.
            row.locked_until = row.last_at


def forget_name(session: Session, name_key: str) -> None:
    """Forget all failures of a name, from everywhere; as a new password set by an administrator does."""
    name = name_key[:64]
    keys = select(SignInFailure.key).where(SignInFailure.key.startswith(f"pair:{name} ", autoescape=True))
    session.execute(
        delete(SignInFailure).where(SignInFailure.key.in_([*session.scalars(keys), f"name:{name}"]))
    )


def device_token(user: User) -> str:
    """What a browser is known by from now on, unsigned: bound to the account and to its present password."""
    issued = int(clock.seconds())
    return f"{user.id}.{issued}.{_password_mark(user)}.{secrets.token_urlsafe(16)}"


def known_device(user: User | None, token: str | None) -> str | None:
    """The device that a token (its signature checked) names, if it is this account's and not too old."""
    if user is None or token is None:
        return None
    # Padded, since a token of another form has fewer parts.
    number, issued, mark, _ = [*token.split("."), "", "", ""][:4]
    fresh = issued.isdigit() and clock.seconds() - int(issued) < DEVICE_DAYS * 86_400
    if number != str(user.id) or mark != _password_mark(user) or not fresh:
        return None
    # The hash: a copy of the database makes nobody a known device.
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def _password_mark(user: User) -> str:
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:16]


def _delay(beyond: int, limit: Limit) -> timedelta:
    if beyond <= 0:
        return timedelta()
    # 16 doublings of a second are 18 hours, above every limit here; without an end the number would
    # overflow.
    doubled: int = 2 ** min(beyond - 1, 16)
    return min(limit.longest, limit.first * doubled)


def _network(address: str) -> str:
    """An address as it is counted: whoever has one IPv6 address has all of its /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 6:
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return address
