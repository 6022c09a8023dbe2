from __future__ import annotations

import logging

import pytest

from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.studio import Studio
from studio_core.people import accounts, sign_in
from studio_core.people.accounts import LOCAL, Role
from tests.people import PASSWORD, add_all, cheap_hashes

__all__ = ["cheap_hashes"]


def test_a_new_studio_has_nobody_and_belongs_to_the_local_user(studio: Studio) -> None:
    assert not accounts.any_accounts(studio) and accounts.all_accounts(studio) == []
    assert LOCAL.role == Role.ADMINISTRATOR and LOCAL.id is None


def test_the_first_account_is_an_administrators(studio: Studio) -> None:
    for role in (Role.TRAINER, Role.ANNOTATOR):
        with pytest.raises(BadInput, match="first account must be an administrator"):
            accounts.add(studio, "tom", role, PASSWORD)
    accounts.add(studio, "ann", "administrator", PASSWORD)
    accounts.add(studio, "tom", "trainer", PASSWORD)
    assert [(user.name, user.role) for user in accounts.all_accounts(studio)] == [
        ("ann", "administrator"),
        ("tom", "trainer"),
    ]


@pytest.mark.parametrize("other", ["ANN", "Ann", " ann ", "ａｎｎ"])
def test_a_name_is_one_name_however_it_is_written(studio: Studio, other: str) -> None:
    accounts.add(studio, "ann", "administrator", PASSWORD)
    with pytest.raises(Conflict, match="already"):
        accounts.add(studio, other, "trainer", PASSWORD)
    assert accounts.find(studio, other).name == "ann"


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "a\r\nSet-Cookie: x=1",
        "a\nb",
        "<b>",
        "a" * 41,
        "../x",
        "-x",
        "a;b",
        "a,b",
        "a\x00",
        "a'",
    ],
)
def test_names_that_could_do_harm_are_refused(studio: Studio, name: str) -> None:
    with pytest.raises(BadInput, match="not a valid name"):
        accounts.add(studio, name, "administrator", PASSWORD)


@pytest.mark.parametrize("name", ["ann", "Ann-Marie", "a.b_c@example.org", "王小明", "Ägidius"])
def test_names_of_people_are_taken(studio: Studio, name: str) -> None:
    assert accounts.add(studio, name, "administrator", PASSWORD).name == name


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "10 to 256"),
        ("x" * 257, "10 to 256"),
        ("aaaaaaaaaaaa", "too easy to guess"),
        ("1234567890", "too easy to guess"),
        ("Password123", "too easy to guess"),
        ("annette-2026", "too easy to guess"),
    ],
)
def test_passwords_that_are_guessed_are_refused(studio: Studio, password: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        accounts.add(studio, "Annette", "administrator", password)
    assert not accounts.any_accounts(studio)


def test_an_unknown_role_or_account_is_named(studio: Studio) -> None:
    with pytest.raises(BadInput, match="'boss' is not a role"):
        accounts.add(studio, "ann", "boss", PASSWORD)
    for change in (accounts.find, lambda s, n: accounts.set_disabled(s, n, True)):
        with pytest.raises(NotFound, match="Account 'nobody' does not exist"):
            change(studio, "nobody")


def test_the_last_administrator_stays_one(studio: Studio) -> None:
    add_all(studio)
    for change in (
        lambda: accounts.set_disabled(studio, "ann", True),
        lambda: accounts.set_role(studio, "ann", "trainer"),
    ):
        with pytest.raises(Conflict, match="only active administrator"):
            change()
    accounts.set_role(studio, "tom", "administrator")
    accounts.set_disabled(studio, "ann", True)
    with pytest.raises(Conflict, match="tom is the only active administrator"):
        accounts.set_role(studio, "tom", "annotator")  # A disabled administrator helps nobody.
    accounts.set_disabled(studio, "ann", False)
    assert accounts.set_role(studio, "tom", "annotator").role == "annotator"


def test_passwords_are_stored_as_argon2id_and_never_logged(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tunesmith.accounts")
    accounts.add(studio, "ann", "administrator", PASSWORD)
    accounts.set_password(studio, "ann", "another good phrase")
    sign_in.sign_in(studio, "ann", "another good phrase", "10.0.0.1")
    with pytest.raises(BadInput):
        sign_in.sign_in(studio, "ann", "wrong-secret-word", "10.0.0.1")
    assert accounts.find(studio, "ann").password_hash.startswith("$argon2id$v=19$")
    assert (
        "account 'ann' added as administrator" in caplog.text and "password of account 'ann'" in caplog.text
    )
    assert "refused" in caplog.text and "10.0.0.1" in caplog.text
    for secret in (PASSWORD, "another good phrase", "wrong-secret-word", "$argon2"):
        assert secret not in caplog.text


def test_a_hostile_name_cannot_write_a_line_into_the_log(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    add_all(studio)
    with pytest.raises(BadInput):
        sign_in.sign_in(studio, "x\n2026-11-21 INFO sign-in of 'ann'", "whatever", "10.0.0.1")
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_one_time_passwords_differ_and_would_be_taken(studio: Studio) -> None:
    made = {accounts.one_time_password() for _ in range(50)}
    assert len(made) == 50
    user = accounts.add(studio, "ann", "administrator", made.pop(), one_time=True)
    assert user.must_change and accounts.account_of(user).must_change
    assert not accounts.set_password(studio, "ann", PASSWORD).must_change
