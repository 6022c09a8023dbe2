"""``services`` of the command line: a key goes in by standard input or a variable, and never comes out."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from app.cli import run
from studio_core.generation import services
from tests.fake_service import fake_service

KEY = "sk-secret-0123456789"


def test_a_service_from_beginning_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = ["--home", str(tmp_path)]
    with fake_service() as service:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))
        added = ["services", "add", "far", "--address", service.address, "--model", "big", *home]
        assert run([*added, "--key-stdin", "--price-in", "0.5"]) == 0
        assert services.get(tmp_path / services.FILE, "far").key.get_secret_value() == KEY
        assert run(["services", "test", "far", *home]) == 0
        assert service.keys == {f"Bearer {KEY}"}
        assert run(["services", "list", "--json", *home]) == 0
        printed = capsys.readouterr()
        assert "echo Say OK." in printed.out and "On this machine" in printed.out
        assert json.loads(printed.out[printed.out.index("[\n") :])[0]["price_in"] == 0.5
    assert run(["services", "test", "far", *home, "--timeout", "2"]) == 1
    monkeypatch.setenv("MY_KEY", f"{KEY}-2")
    assert run([*added, "--key-variable", "MY_KEY"]) == 0
    assert services.get(tmp_path / services.FILE, "far").key.get_secret_value() == f"{KEY}-2"
    assert run([*added, "--key-variable", "NO_KEY"]) == 2
    assert run(["services", "remove", "far", *home]) == 0
    assert run(["services", "remove", "far", *home]) == 2
    later = capsys.readouterr()
    assert KEY not in printed.out + printed.err + later.out + later.err
