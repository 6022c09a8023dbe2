"""Codes of an authenticator app beside the password (TOTP, RFC 6238: six digits, 30 s, SHA-1, as all apps do it).

A secret is kept only once its owner has shown a code of it. A code opens once, and fits one step early or late, since
clocks of telephones differ. Whoever lost the app is let in by an administrator on the command line.
"""

from __future__ import annotations

import logging
import re

import pyotp
from sqlalchemy import select

from studio_core.base import clock
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import User
from studio_core.people import accounts
from studio_core.people.accounts import Account

log = logging.getLogger("tunesmith.accounts")

ISSUER = "Tunesmith"
# The only value that every app knows.
STEP = 30
"""Seconds for which a code holds."""
_CODE = re.compile(r"\d{6}")


def new_secret() -> str:
    """160 bits in base 32."""
    return pyotp.random_base32()


def address(account: Account, secret: str) -> str:
    """The ``otpauth:`` address that an app reads."""
    return pyotp.TOTP(secret, name=account.name, issuer=ISSUER).provisioning_uri()


def picture(account: Account, secret: str) -> str:
    """That address as a QR code: an SVG element whose colours are the page's own."""
    import segno  # Only this page needs it.

    # White behind it in the dark theme too: cameras do not read inverted codes.
    drawing: str = segno.make(address(account, secret), micro=False).svg_inline(
        scale=4, border=2, light="#fff"
    )
    return drawing


def step_of(secret: str, code: str, after: int | None = None) -> int | None:
    """The time step that a code belongs to; None if it does not fit or is of no later step than ``after``."""
    spelled = code.replace(" ", "")
    # \d is any script's digits, and a comparison of other ones would fail with an error.
    if not _CODE.fullmatch(spelled) or not spelled.isascii():
        return None
    now = int(clock.seconds()) // STEP
    totp = pyotp.TOTP(secret)
    # The likeliest first.
    for step in (now, now - 1, now + 1):
        if pyotp.utils.strings_equal(totp.generate_otp(step), spelled):
            # Strictly later: a code that somebody has read over a shoulder opens nothing.
            return step if after is None or step > after else None
    return None


def anybody(studio: Studio) -> bool:
    """Whether any account asks for codes: only then the sign-in page has a field for them."""
    with studio.db.read() as session:
        return session.scalar(select(User.id).where(User.totp_secret.is_not(None)).limit(1)) is not None


def switch_on(studio: Studio, account: Account, secret: str, code: str) -> None:
    """Ask for a code from now on; raises ``BadInput`` if this one is not of that secret."""
    step = step_of(secret, code)
    if step is None:
        raise BadInput("accounts.code_wrong")
    with studio.db.write() as session:
        user = session.get_one(User, account.id)
        user.totp_secret, user.totp_step = secret, step
    log.info("account %r asks for a code of an app now", account.name)


def switch_off(studio: Studio, name: str) -> User:
    """Ask for a code no longer."""
    account = accounts.find(studio, name)
    with studio.db.write() as session:
        user = session.get_one(User, account.id)
        user.totp_secret, user.totp_step = None, None
    log.info("account %r asks for no code any more", account.name)
    return user


def spend(user: User, code: str) -> None:
    """Use up a code in the transaction that has the row; raises ``BadInput`` if it is missing, wrong or used."""
    if user.totp_secret is None:
        return
    if not code.strip():
        raise BadInput("accounts.code_needed")
    step = step_of(user.totp_secret, code, user.totp_step)
    if step is None:
        raise BadInput("accounts.code_wrong")
    user.totp_step = step
