"""Services: which addresses will do, and that a key is its owner's only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.generation import services

KEY = "sk-secret-0123456789"
ADDRESS = "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": "a/b"}, "is not a valid service name"),
        ({"address": "ftp://host/v1"}, "is not a service address"),
        ({"address": "file:///etc/passwd"}, "is not a service address"),
        ({"address": "http://host:0x/v1"}, "is not a service address"),
        ({"address": "http://host/v1?key=1"}, "is not a service address"),
        ({"address": "http://[::1"}, "is not a service address"),
        ({"address": "http://host/v1\r\nHost: b"}, "is not a service address"),
        ({"address": f"http://me:{KEY}@host/v1"}, "user name or password"),
        ({"address": "http://169.254.169.254/v1"}, "is not allowed as a service address"),
        ({"address": "http://0.0.0.0:8000/v1"}, "is not allowed as a service address"),
        ({"price_in": -1.0}, "prices"),
        ({"price_out": float("nan")}, "prices"),
        ({"model": ""}, "not a valid model name"),
        ({"key": f"{KEY}\r\nX-Other: 1"}, "key of far"),
    ],
)
def test_what_will_not_do(tmp_path: Path, values: dict[str, Any], sentence: str) -> None:
    given = {"name": "far", "address": ADDRESS, "model": "m", "key": KEY, **values}
    with pytest.raises(BadInput, match=sentence) as raised:
        services.add(tmp_path / services.FILE, **given)
    assert KEY not in str(raised.value) and not (tmp_path / services.FILE).exists()


def test_they_are_kept_for_their_owner_only(tmp_path: Path) -> None:
    file = tmp_path / services.FILE
    added = services.add(file, "far", "http://h:1/v1/chat/completions/", "m", KEY)
    assert added.address == "http://h:1/v1" and file.stat().st_mode & 0o77 == 0
    assert (
        KEY not in repr(added) and KEY not in str(added.model_dump()) and KEY not in added.model_dump_json()
    )
    assert services.get(file, "far").key.get_secret_value() == KEY
    services.remove(file, "far")
    with pytest.raises(NotFound, match="no service 'far'"):
        services.get(file, "far")


def test_a_key_stays_with_its_address(tmp_path: Path) -> None:
    file = tmp_path / services.FILE
    services.add(file, "far", ADDRESS, "m", KEY)
    assert services.add(file, "far", ADDRESS, "other").key.get_secret_value() == KEY
    assert services.add(file, "far", "http://127.0.0.1:2/v1", "m").key.get_secret_value() == ""
    assert [one.model for one in services.all_services(file)] == ["m"]


@pytest.mark.parametrize(
    ("address", "notes"),
    [
        ("http://127.0.0.1:8000/v1", ["local"]),
        ("http://[::1]:8000/v1", ["local"]),
        ("http://192.168.1.5/v1", ["local"]),
        ("http://localhost:11434/v1", ["local"]),
        ("http://api.example.com/v1", ["plain"]),
        ("https://api.example.com/v1", []),
    ],
)
def test_what_the_user_should_know(tmp_path: Path, address: str, notes: list[str]) -> None:
    assert services.add(tmp_path / services.FILE, "far", address, "m").notes == notes


@pytest.mark.parametrize("content", ["[1]", "{", json.dumps({"services": [{"key": KEY}]})])
def test_a_damaged_file_is_named_and_not_quoted(tmp_path: Path, content: str) -> None:
    file = tmp_path / services.FILE
    file.write_text(content)
    with pytest.raises(StudioError, match="cannot be read") as raised:
        services.all_services(file)
    assert KEY not in str(raised.value)
