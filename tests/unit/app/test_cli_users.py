from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from app.cli import run
from studio_core.base.settings import load
from studio_core.base.studio import Studio
from studio_core.people import accounts, sign_in
from tests.people import PASSWORD, cheap_hashes

__all__ = ["cheap_hashes"]


@pytest.fixture
def call(studio: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs one command line with something on its standard input; exit code, stdout and stderr."""

    def calling(*words: str, piped: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(piped))
        code = run(["--home", str(studio.settings.home), "users", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return calling


def log(studio: Studio) -> str:
    return (studio.settings.logs / "audit.log").read_text(encoding="utf-8")


def test_accounts_from_nothing_to_a_lock(call: Any, studio: Studio) -> None:
    code, out, _ = call(
        "add", "ann", "--role", "administrator", "--password-stdin", "--json", piped=f"{PASSWORD}\n"
    )
    assert code == 0
    added = json.loads(out)
    assert added.keys() == {"name", "role", "disabled", "must_change", "signed_in_at", "created_at"}
    assert (added["name"], added["role"], added["disabled"]) == ("ann", "administrator", False)
    code, out, _ = call("add", "Lea", "--role", "annotator", "--one-time")
    made = next(line for line in out.splitlines() if "One-time" in line).split()[-1]
    assert code == 0 and sign_in.sign_in(studio, "lea", made, "-")[0].must_change
    assert call("role", "LEA", "trainer")[1] == "Lea now has the role trainer.\n"
    assert call("disable", "lea")[0] == 0
    with pytest.raises(accounts.BadInput):
        sign_in.sign_in(studio, "lea", made, "-")
    assert call("enable", "lea")[0] == 0
    assert json.loads(call("passwd", "lea", "--one-time", "--json")[1])["one_time_password"] != made
    assert call("passwd", "lea", "--password-stdin", piped="my own good phrase\n")[0] == 0
    assert sign_in.sign_in(studio, "lea", "my own good phrase", "-")[0].name == "Lea"
    listed = json.loads(call("list", "--json")[1])
    assert [row["name"] for row in listed] == ["ann", "Lea"] and listed[1]["signed_in_at"]
    shown = call("list")[1]
    assert "ann" in shown and "administrator" in shown and "argon2" not in shown
    written = log(studio)
    assert "account 'Lea' disabled" in written and "account 'Lea' is trainer now" in written
    assert PASSWORD not in written and made not in written and "my own good phrase" not in written


@pytest.mark.parametrize(
    ("words", "piped", "sentence"),
    [
        (("add", "tom", "--role", "trainer", "--one-time"), "", "first account"),
        (("add", "ann", "--role", "king", "--one-time"), "", "'king' is not a role"),
        (("add", "a b", "--role", "administrator", "--one-time"), "", "not a valid name"),
        (("add", "ann", "--role", "administrator"), PASSWORD, "--password-stdin or --one-time"),
        (("add", "ann", "--role", "administrator", "--password-stdin"), "", "No password on standard input"),
        (("add", "ann", "--role", "administrator", "--password-stdin"), "short\n", "10 to 256"),
        (
            ("add", "ann", "--role", "administrator", "--password-stdin", "--one-time"),
            "x",
            "cannot be used together",
        ),
        (("disable", "nobody"), "", "Account 'nobody' does not exist"),
        (("passwd", "nobody", "--one-time"), "", "Account 'nobody' does not exist"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    call: Any, studio: Studio, words: tuple[str, ...], piped: str, sentence: str
) -> None:
    code, out, err = call(*words, piped=piped)
    assert code == 2 and out == "" and len(err.strip().splitlines()) == 1 and sentence in err
    assert not accounts.any_accounts(studio)


def test_no_option_takes_a_password(call: Any, studio: Studio) -> None:
    """It would stand in the list of processes, and in the history of the shell."""
    for words in (
        ("add", "ann", "--role", "administrator", "--password", PASSWORD),
        ("passwd", "ann", PASSWORD),
    ):
        assert call(*words)[0] == 2
    assert not accounts.any_accounts(studio)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_password_is_typed_twice_and_not_shown(
    call: Any, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter([PASSWORD, "something else", PASSWORD, PASSWORD])
    asked: list[dict[str, Any]] = []

    def prompt(text: str, **options: Any) -> str:
        asked.append(options)
        return next(typed)

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr(io, "StringIO", Terminal)
    assert "do not match" in call("add", "ann", "--role", "administrator")[2]
    assert call("add", "ann", "--role", "administrator")[0] == 0
    assert all(options["hide_input"] for options in asked) and len(asked) == 4


@pytest.mark.parametrize("value", ["https://x.org", "*", "a.org/x", "a b", "x.org:443"])
def test_a_setting_of_hosts_takes_names_only(tmp_path: Path, value: str) -> None:
    with pytest.raises(accounts.BadInput, match="allowed_hosts"):
        load(home=tmp_path, allowed_hosts=value)


def test_settings_of_hosts_and_proxies(tmp_path: Path) -> None:
    loaded = load(
        home=tmp_path,
        allowed_hosts="Studio.example.org, 10.0.0.5,[::1]",
        trusted_proxy="10.0.0.1,10.1.0.0/16",
    )
    assert loaded.names == {"studio.example.org", "10.0.0.5", "[::1]"}
    with pytest.raises(accounts.BadInput, match="trusted_proxy"):
        load(home=tmp_path, trusted_proxy="proxy.example.org")
