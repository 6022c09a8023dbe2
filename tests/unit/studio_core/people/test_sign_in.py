"""Signing in: sessions that end, failures that cost time, and nothing learnt about who exists."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, text

from studio_core.base import clock
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import SignInFailure, UserSession
from studio_core.people import accounts, sign_in
from studio_core.people.accounts import Role
from studio_core.people.accounts import hasher as real_hasher
from studio_core.people.sign_in import LockedOut, account_behind
from studio_core.people.sign_in_failures import (
    DEVICE,
    DEVICE_DAYS,
    NAME,
    NETWORK,
    PAIR,
    device_token,
    known_device,
)
from tests.people import CHEAP, PASSWORD, add_all, cheap_hashes

__all__ = ["cheap_hashes"]
HOME, ELSEWHERE = "10.0.0.1", "10.0.0.2"

Later = Callable[[timedelta], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Moves the clock on."""
    moved = clock.now()

    def move(by: timedelta) -> None:
        nonlocal moved
        moved += by

    monkeypatch.setattr(clock, "now", lambda: moved)
    return move


@pytest.fixture
def people(studio: Studio) -> Studio:
    add_all(studio)
    return studio


def fail(studio: Studio, name: str = "tom", address: str = HOME) -> str:
    """The sentence of an attempt with a wrong password."""
    with pytest.raises(BadInput) as refused:
        sign_in.sign_in(studio, name, "wrong password", address)
    return refused.value.key


def test_a_session_belongs_to_who_signed_in_and_ends_when_they_sign_out(people: Studio) -> None:
    account, cookie = sign_in.sign_in(people, "TOM", PASSWORD, HOME)
    _, other = sign_in.sign_in(people, "tom", PASSWORD, ELSEWHERE)
    assert account.name == "tom" and account.role == Role.TRAINER
    assert account_behind(people, cookie) == account
    sign_in.sign_out(people, cookie)
    assert account_behind(people, cookie) is None  # What somebody copied is worth nothing now.
    assert account_behind(people, other) == account
    sign_in.sign_out(people, cookie)


def test_the_database_holds_no_cookie_and_the_key_lies_beside_it(people: Studio) -> None:
    _, cookie = sign_in.sign_in(people, "tom", PASSWORD, HOME)
    with people.db.read() as session:
        [stored] = session.scalars(select(UserSession.token_hash))
    token = cookie.rpartition(".")[0]
    assert token not in stored and len(stored) == 64
    assert account_behind(people, stored) is None and account_behind(people, token) is None
    key = sign_in.key_file(people.settings.home)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and len(key.read_bytes()) == 32
    assert list(people.settings.home.glob("*.partial")) == []


def test_a_cookie_that_was_tampered_with_opens_nothing(people: Studio) -> None:
    _, cookie = sign_in.sign_in(people, "tom", PASSWORD, HOME)
    token, _, signature = cookie.rpartition(".")
    flipped = ("A" if token[0] != "A" else "B") + token[1:]
    for forged in (
        "", ".", token, f"{token}.", f"{flipped}.{signature}", f"{token}.{signature[:-2]}", f"{cookie}x",
        "é" * 40, "x" * 5000, f"{token}.{signature}.{signature}", None,
    ):  # fmt: skip
        assert account_behind(people, forged) is None


def test_a_signature_of_another_key_opens_nothing(
    people: Studio, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whoever can write to the database, but does not have the key, makes no session."""
    _, cookie = sign_in.sign_in(people, "tom", PASSWORD, HOME)
    elsewhere = sign_in._signer(tmp_path_factory.mktemp("other"), "tunesmith.session")
    assert account_behind(people, elsewhere.sign(cookie.rpartition(".")[0]).decode()) is None


def test_a_damaged_key_is_said_and_not_used(studio: Studio) -> None:
    sign_in.key_file(studio.settings.home).write_bytes(b"")
    with pytest.raises(StudioError, match="is damaged"):
        sign_in.secret_key(studio.settings.home)


def test_sessions_end_when_idle_and_at_last(people: Studio, later: Later) -> None:
    _, cookie = sign_in.sign_in(people, "tom", PASSWORD, HOME)
    for _ in range(16):  # Ten hours between requests, and 168 hours in all.
        later(timedelta(hours=10))
        assert account_behind(people, cookie) is not None
    later(timedelta(hours=9))
    assert account_behind(people, cookie) is None
    _, cookie = sign_in.sign_in(people, "tom", PASSWORD, HOME)
    later(timedelta(hours=12, minutes=2))
    assert account_behind(people, cookie) is None


def test_a_session_is_noted_as_seen_once_a_minute(people: Studio, later: Later) -> None:
    _, cookie = sign_in.sign_in(people, "tom", PASSWORD, HOME)
    began = clock.now()
    later(timedelta(seconds=30))
    account_behind(people, cookie)
    with people.db.read() as session:
        assert session.scalar(select(UserSession.seen_at)) == began
    later(timedelta(seconds=31))
    account_behind(people, cookie)
    with people.db.read() as session:
        assert session.scalar(select(UserSession.seen_at)) == clock.now()


def test_disabling_and_a_new_password_end_every_session_at_once(people: Studio) -> None:
    for change in (
        lambda: accounts.set_disabled(people, "tom", True),
        lambda: accounts.set_password(people, "tom", PASSWORD),
    ):
        cookies = [sign_in.sign_in(people, "tom", PASSWORD, HOME)[1] for _ in range(2)]
        assert all(account_behind(people, cookie) for cookie in cookies)
        change()
        assert not any(account_behind(people, cookie) for cookie in cookies)
        accounts.set_disabled(people, "tom", False)
        assert not any(account_behind(people, cookie) for cookie in cookies)  # Nor do they come back.


def test_a_new_role_counts_from_the_next_request(people: Studio) -> None:
    _, cookie = sign_in.sign_in(people, "tom", PASSWORD, HOME)
    accounts.set_role(people, "tom", "annotator")
    assert account_behind(people, cookie).role == Role.ANNOTATOR  # type: ignore[union-attr]


def test_unknown_wrong_and_disabled_are_one_sentence_after_the_same_work(
    people: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.set_disabled(people, "lea", True)
    checked: list[str] = []

    class Watched(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            checked.append(str(hash).rpartition("$")[0].rpartition("$")[0])
            return CHEAP.verify(hash, password)

    watched = Watched(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "hasher", lambda: watched)
    keys = {fail(people, "nobody"), fail(people, "tom"), fail(people, "x" * 500)}
    with pytest.raises(BadInput) as refused:
        sign_in.sign_in(people, "lea", PASSWORD, HOME)
    assert keys | {refused.value.key} == {"accounts.wrong"}
    assert len(checked) == 4 and len(set(checked)) == 1  # Once each, with the same parameters.


def test_an_absurd_password_costs_no_more(people: Studio) -> None:
    assert fail(people, "tom") == "accounts.wrong"
    with pytest.raises(BadInput):
        sign_in.sign_in(people, "tom", "x" * 1_000_000, HOME)


def test_failures_slow_a_name_from_one_network_more_and_more(people: Studio, later: Later) -> None:
    for _ in range(PAIR.free):
        assert fail(people) == "accounts.wrong"
    waits = []
    for _ in range(8):
        assert fail(people) == "accounts.wrong"
        with pytest.raises(LockedOut) as early:  # The right password does not help either.
            sign_in.sign_in(people, "tom", PASSWORD, HOME)
        waits.append(early.value.values["seconds"] - 1)
        later(timedelta(seconds=waits[-1] + 1))
    assert waits == [10, 20, 40, 60, 60, 60, 60, 60]
    assert sign_in.sign_in(people, "tom", PASSWORD, HOME)[0].name == "tom"
    assert [fail(people) for _ in range(PAIR.free)] == ["accounts.wrong"] * PAIR.free
    sign_in.sign_in(people, "tom", PASSWORD, HOME)


def test_strangers_elsewhere_do_not_keep_somebody_out(people: Studio) -> None:
    for stranger in range(7):
        for _ in range(PAIR.free + 1):
            assert fail(people, "ann", f"10.0.{stranger}.9") == "accounts.wrong"
        assert fail(people, "ann", f"10.0.{stranger}.9") == "accounts.locked"
    assert sign_in.sign_in(people, "ann", PASSWORD, HOME)[0].name == "ann"


def test_a_crowd_of_strangers_slows_a_name_by_seconds_and_a_known_browser_not_at_all(
    people: Studio, later: Later
) -> None:
    account, _ = sign_in.sign_in(people, "ann", PASSWORD, HOME)
    device = sign_in.device_cookie(people, account)
    for stranger in range(NAME.free + 9):
        fail(people, "ann", f"10.1.{stranger}.9")
        if stranger > NAME.free:
            later(NAME.longest)
    with pytest.raises(LockedOut) as early:
        fail(people, "ann", "10.2.0.9")
        sign_in.sign_in(people, "ann", PASSWORD, ELSEWHERE)
    assert early.value.values["seconds"] - 1 == NAME.longest.total_seconds()
    assert sign_in.sign_in(people, "ann", PASSWORD, ELSEWHERE, device=device)[0].name == "ann"


def test_a_known_browser_is_slowed_by_its_own_failures_only(people: Studio) -> None:
    account, _ = sign_in.sign_in(people, "tom", PASSWORD, HOME)
    device = sign_in.device_cookie(people, account)
    for _ in range(DEVICE.free + 1):
        with pytest.raises(BadInput):
            sign_in.sign_in(people, "tom", "wrong password", HOME, device=device)
    with pytest.raises(LockedOut):
        sign_in.sign_in(people, "tom", PASSWORD, HOME, device=device)
    assert sign_in.sign_in(people, "tom", PASSWORD, HOME)[0].name == "tom"


def test_a_browser_is_known_for_one_account_until_its_password_changes_or_it_is_old(
    people: Studio, later: Later
) -> None:
    tom, ann = accounts.find(people, "tom"), accounts.find(people, "ann")
    token = device_token(tom)
    assert known_device(tom, token) is not None
    assert known_device(ann, token) is None and known_device(None, token) is None
    for forged in ("", ".", "1", f"{tom.id}.x.y.z", token.replace(".", "", 1), "." * 9, None):
        assert known_device(tom, forged) is None
    later(timedelta(days=DEVICE_DAYS))
    assert known_device(tom, token) is None
    token = device_token(tom)
    accounts.set_password(people, "tom", "another good phrase")
    assert known_device(accounts.find(people, "tom"), token) is None


def test_a_forged_device_is_counted_as_none(people: Studio) -> None:
    elsewhere = f"{device_token(accounts.find(people, 'tom'))}.forged"
    for _ in range(PAIR.free + 1):
        with pytest.raises(BadInput):
            sign_in.sign_in(people, "tom", "wrong password", HOME, device=elsewhere)
    assert fail(people) == "accounts.locked"


def test_a_slowed_name_slows_nobody_else_and_an_unknown_one_is_slowed_the_same(people: Studio) -> None:
    for name in ("tom", "nobody"):
        for _ in range(PAIR.free + 1):
            assert fail(people, name) == "accounts.wrong"
        assert fail(people, name) == "accounts.locked"
    assert sign_in.sign_in(people, "ann", PASSWORD, HOME)[0].name == "ann"


def test_a_network_that_tries_many_names_is_slowed_by_seconds_and_others_are_not(
    people: Studio, later: Later
) -> None:
    for number in range(NETWORK.free + 1):
        assert fail(people, f"name{number}") == "accounts.wrong"
    assert fail(people, "another") == "accounts.locked"
    with pytest.raises(LockedOut):
        sign_in.sign_in(people, "ann", PASSWORD, HOME)
    assert sign_in.sign_in(people, "ann", PASSWORD, ELSEWHERE)[0].name == "ann"
    later(NETWORK.longest)
    sign_in.sign_in(people, "ann", PASSWORD, HOME)
    assert fail(people, "name1") == "accounts.wrong"  # An own account does not wash an address clean.
    assert fail(people, "name2") == "accounts.locked"


def test_one_ipv6_subscriber_is_one_address(people: Studio) -> None:
    for number in range(NETWORK.free + 1):
        fail(people, f"name{number}", f"2001:db8:1:2::{number:x}")
    assert fail(people, "other", "2001:db8:1:2:ffff::1") == "accounts.locked"
    assert fail(people, "other", "2001:db8:1:3::1") == "accounts.wrong"


def test_attempts_at_the_same_moment_are_all_counted(people: Studio) -> None:
    keys: list[str] = []
    together = threading.Barrier(12)

    def attempt() -> None:
        together.wait()
        try:
            sign_in.sign_in(people, "tom", "wrong password", HOME)
        except BadInput as refused:
            keys.append(refused.key)

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert keys.count("accounts.wrong") == PAIR.free + 1
    assert keys.count("accounts.locked") == 12 - PAIR.free - 1


def test_failures_are_forgotten_after_a_day(people: Studio, later: Later) -> None:
    for _ in range(PAIR.free + 1):
        fail(people)
    later(timedelta(hours=25))
    fail(people)
    with people.db.read() as session:
        assert sorted(session.scalars(select(SignInFailure.count))) == [1, 1, 1]


def test_an_administrator_lifts_a_lock_with_a_new_password(people: Studio) -> None:
    for _ in range(PAIR.free + 1):
        fail(people)
    accounts.set_password(people, "tom", "another good phrase")
    assert sign_in.sign_in(people, "tom", "another good phrase", HOME)[0].name == "tom"


def test_a_password_is_hashed_anew_when_the_parameters_have_changed(
    people: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = accounts.find(people, "tom").password_hash
    dearer = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(accounts, "hasher", lambda: dearer)
    fail(people)
    assert accounts.find(people, "tom").password_hash == before
    sign_in.sign_in(people, "tom", PASSWORD, HOME)
    assert "m=16,t=2" in accounts.find(people, "tom").password_hash
    sign_in.sign_in(people, "tom", PASSWORD, HOME)


def test_a_password_that_was_changed_during_the_check_opens_nothing(
    people: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(stored: str, password: str) -> bool:
        accounts.set_password(people, "tom", "another good phrase")
        return True

    monkeypatch.setattr(sign_in, "_fits", slow)
    with pytest.raises(BadInput):
        sign_in.sign_in(people, "tom", PASSWORD, HOME)
    with people.db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM user_session")) == 0


def test_everybody_changes_their_own_password_with_the_old_one(people: Studio) -> None:
    accounts.set_password(people, "tom", "made for tom 12", one_time=True)
    account, cookie = sign_in.sign_in(people, "tom", "made for tom 12", HOME)
    assert account.must_change
    for old, new, key in (
        ("wrong password", "my own good phrase", "accounts.wrong_again"),
        ("made for tom 12", "made for tom 12", "accounts.password_same"),
        ("made for tom 12", "short", "accounts.password_length"),
    ):
        with pytest.raises(BadInput) as refused:
            sign_in.change_password(people, account, old, new, HOME)
        assert refused.value.key == key
    fresh = sign_in.change_password(people, account, "made for tom 12", "my own good phrase", HOME)
    assert account_behind(people, cookie) is None
    assert account_behind(people, fresh).must_change is False  # type: ignore[union-attr]
    for _ in range(PAIR.free + 1):
        with pytest.raises(BadInput, match="Wrong password"):
            sign_in.change_password(people, account, "wrong password", "my own good phrase", HOME)
    with pytest.raises(LockedOut):
        sign_in.change_password(people, account, "my own good phrase", "still another phrase", HOME)


def test_the_real_hasher_is_argon2id_with_the_parameters_of_rfc_9106() -> None:
    real = real_hasher()
    assert (real.memory_cost, real.time_cost, real.parallelism) == (64 << 10, 3, 4)
    assert real.hash("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_one_time_password_opens_nothing_after_three_days(people: Studio, later: Later) -> None:
    accounts.set_password(people, "tom", "made for tom 12", one_time=True)
    later(timedelta(days=2, hours=23))
    account, _ = sign_in.sign_in(people, "tom", "made for tom 12", HOME)
    assert account.must_change
    later(timedelta(hours=2))
    with pytest.raises(BadInput, match="expired"):
        sign_in.sign_in(people, "tom", "made for tom 12", HOME)
    accounts.set_password(people, "tom", "my own good phrase")
    later(timedelta(days=30))
    sign_in.sign_in(people, "tom", "my own good phrase", HOME)


def test_everybody_sees_their_sessions_and_ends_the_others(people: Studio) -> None:
    account, here = sign_in.sign_in(people, "tom", PASSWORD, HOME, browser="Firefox\n" + "x" * 900)
    _, there = sign_in.sign_in(people, "tom", PASSWORD, ELSEWHERE, browser="Chromium")
    _, other = sign_in.sign_in(people, "ann", PASSWORD, HOME)
    opened = sign_in.sessions(people, account)
    assert {(one.address, one.browser[:8]) for one in opened} == {(HOME, "Firefoxx"), (ELSEWHERE, "Chromium")}
    assert all(len(one.browser) <= 200 for one in opened)
    assert [sign_in.is_session(people, here, one) for one in opened].count(True) == 1
    sign_in.end_others(people, account, here)
    assert account_behind(people, here) and account_behind(people, other)
    assert account_behind(people, there) is None


def test_the_password_is_confirmed_without_a_session_and_counted(people: Studio) -> None:
    account, _ = sign_in.sign_in(people, "tom", PASSWORD, HOME)
    assert sign_in.confirm(people, account, PASSWORD, HOME) == account
    assert len(sign_in.sessions(people, account)) == 1
    for _ in range(PAIR.free + 1):
        with pytest.raises(BadInput, match="Wrong password"):
            sign_in.confirm(people, account, "wrong password", HOME)
    with pytest.raises(LockedOut):
        sign_in.confirm(people, account, PASSWORD, HOME)
