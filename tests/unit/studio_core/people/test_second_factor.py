"""Codes of an authenticator app: RFC 6238's own examples, and that a code opens once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyotp
import pytest

from studio_core.base import clock
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.people import accounts, second_factor, sign_in
from studio_core.people.second_factor import STEP, step_of
from studio_core.people.sign_in import LockedOut
from studio_core.people.sign_in_failures import PAIR
from tests.people import PASSWORD, add_all, cheap_hashes

__all__ = ["cheap_hashes"]
HOME = "10.0.0.1"
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""The key of RFC 6238, appendix B, in base 32."""


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The clock, as the one item of a list."""
    moment = [datetime(2026, 1, 1)]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    return moment


@pytest.fixture
def secret(studio: Studio, now: list[datetime]) -> str:
    """Of tom, who has switched codes on."""
    add_all(studio)
    made = second_factor.new_secret()
    account, _ = sign_in.sign_in(studio, "tom", PASSWORD, HOME)
    second_factor.switch_on(studio, account, made, code(made))
    now[0] += timedelta(seconds=STEP)
    return made


def code(secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).generate_otp(int(clock.seconds()) // STEP + steps)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_the_examples_of_the_rfc(seconds: int, expected: str, now: list[datetime]) -> None:
    now[0] = datetime(1970, 1, 1) + timedelta(seconds=seconds)
    assert step_of(RFC_SECRET, expected) == seconds // STEP
    assert step_of(RFC_SECRET, f"{expected[:3]} {expected[3:]}") == seconds // STEP


@pytest.mark.parametrize("spelled", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "000 00", "-12345"])
def test_what_is_no_code(spelled: str, now: list[datetime]) -> None:
    assert step_of(RFC_SECRET, spelled) is None


def test_password_and_code_open_together_only(studio: Studio, secret: str) -> None:
    with pytest.raises(BadInput, match="code"):
        sign_in.sign_in(studio, "tom", PASSWORD, HOME)
    with pytest.raises(BadInput) as refused:
        sign_in.sign_in(studio, "tom", "wrong password", HOME, code=code(secret))
    assert refused.value.key == "accounts.wrong"
    assert sign_in.sign_in(studio, "tom", PASSWORD, HOME, code=code(secret))[0].name == "tom"
    sign_in.sign_in(studio, "ann", PASSWORD, HOME)


def test_a_code_opens_once_and_one_step_early_or_late(
    studio: Studio, secret: str, now: list[datetime]
) -> None:
    late = code(secret, -1)
    with pytest.raises(BadInput):  # It is the one that switched it on.
        sign_in.sign_in(studio, "tom", PASSWORD, HOME, code=late)
    used = code(secret)
    sign_in.sign_in(studio, "tom", PASSWORD, HOME, code=used)
    with pytest.raises(BadInput):
        sign_in.sign_in(studio, "tom", PASSWORD, HOME, code=used)
    sign_in.sign_in(studio, "tom", PASSWORD, HOME, code=code(secret, 1))
    with pytest.raises(BadInput):
        sign_in.sign_in(studio, "tom", PASSWORD, HOME, code=code(secret, 2))


def test_guessing_codes_is_slowed_as_guessing_passwords_is(studio: Studio, secret: str) -> None:
    for guess in range(PAIR.free + 1):
        with pytest.raises(BadInput):
            sign_in.sign_in(studio, "tom", PASSWORD, HOME, code="" if guess % 2 else "000000")
    with pytest.raises(LockedOut):
        sign_in.sign_in(studio, "tom", PASSWORD, HOME, code=code(secret))


def test_it_is_switched_on_by_a_code_only_and_off_by_an_administrator(studio: Studio, secret: str) -> None:
    account, _ = sign_in.sign_in(studio, "ann", PASSWORD, HOME)
    with pytest.raises(BadInput, match="code"):
        second_factor.switch_on(studio, account, second_factor.new_secret(), code(secret))
    assert accounts.find(studio, "ann").totp_secret is None
    second_factor.switch_off(studio, "tom")
    sign_in.sign_in(studio, "tom", PASSWORD, HOME)


def test_apps_read_the_address_and_the_picture(studio: Studio, secret: str) -> None:
    account = sign_in.sign_in(studio, "ann", PASSWORD, HOME)[0]
    assert (
        second_factor.address(account, secret)
        == f"otpauth://totp/Tunesmith:ann?secret={secret}&issuer=Tunesmith"
    )
    assert second_factor.picture(account, secret).startswith("<svg ")
