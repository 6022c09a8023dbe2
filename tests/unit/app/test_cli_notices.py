"""``notices`` of the command line: a webhook from beginning to end, and what is never printed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from app.cli import run
from studio_core.notices.channels import mail
from tests.receivers import hook


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.notices.ensure_engine", lambda _: None)


def test_a_webhook_from_beginning_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = ["--home", str(tmp_path)]
    with hook(200, 500) as receiver:
        assert run(["notices", "add", "webhook", receiver.url, *home]) == 2
        assert "TUNESMITH_PRIVATE_WEBHOOKS=1" in capsys.readouterr().err
        monkeypatch.setenv("TUNESMITH_PRIVATE_WEBHOOKS", "1")
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{receiver.url}\n"))
        assert run(["notices", "add", "webhook", "-", "--rule", "failed", "--json", *home]) == 0
        added = json.loads(capsys.readouterr().out)
        assert added["secret"].startswith("whsec_") and added["rules"] == ["failed"]
        assert run(["notices", "test", "1", *home]) == 0
        assert receiver.bodies[0]["type"] == "test"
        assert run(["notices", "test", "1", *home]) == 1
        assert "500" in capsys.readouterr().err
    assert run(["notices", "list", *home]) == 0
    assert run(["notices", "told", *home]) == 0
    assert run(["notices", "remove", "1", *home]) == 0
    printed = capsys.readouterr()
    assert "key=abc" not in printed.out + printed.err and "given_up" in printed.out
    assert run(["notices", "test", "1", *home]) == 2
    assert run(["notices", "add", "pigeon", *home]) == 2
    assert run(["notices", "add", "browser", "--rule", "rain", *home]) == 2


def test_the_mail_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = ["--home", str(tmp_path)]
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cret\n"))
    given = ["notices", "mail-server", "mail.example.org", "--sender", "a@b.example", "--user", "ann"]
    assert run([*given, "--password-stdin", *home]) == 0
    kept = mail.server(tmp_path)
    assert kept and kept.password.get_secret_value() == "s3cret"
    assert run([*given, "--security", "loud", *home]) == 2
    assert run(["notices", "add", "mail", "ann@example.org", *home]) == 0
    assert "s3cret" not in "".join(capsys.readouterr())
