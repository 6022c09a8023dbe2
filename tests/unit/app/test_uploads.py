"""The routes by which files come in, as what they are: endpoints that anyone on the machine can call."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import uploads as routes
from studio_core.base.studio import Studio, open_studio
from studio_core.data import uploads

CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NOBODYS = "0" * 32

Connect = Callable[[], TestClient]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Studio]:
    """A studio that takes files of 1 MB, and 2 MB of all together."""
    opened = open_studio(home=tmp_path / "home", max_upload_mb=1, upload_quota_mb=2)
    yield opened
    opened.close()


@pytest.fixture
def connect(small: Studio) -> Connect:
    """A client of a server that has just been started; each call is a restart."""

    def started() -> TestClient:
        api = FastAPI()
        api.include_router(routes.routes(small))
        return TestClient(api)

    return started


@pytest.fixture
def client(connect: Connect) -> TestClient:
    return connect()


def begin(client: TestClient, name: Any = "a.jsonl", size: Any = SIZE) -> Any:
    return client.post("/api/uploads", json={"name": name, "size": size})


def begun(client: TestClient, **given: Any) -> str:
    return str(begin(client, **given).json()["id"])


def put(client: TestClient, id: str, offset: Any, chunk: bytes) -> Any:
    return client.put(f"/api/uploads/{id}?offset={offset}", content=chunk)


def left(studio: Studio) -> list[str]:
    return [path.name for path in studio.settings.uploads.iterdir()]


def test_a_file_arrives_in_chunks_and_is_hashed(client: TestClient, small: Studio) -> None:
    answer = begin(client)
    assert answer.status_code == 200
    id = answer.json()["id"]
    assert answer.json() == {
        "id": id,
        "name": "a.jsonl",
        "size": len(CONTENT),
        "received": 0,
        "sha256": None,
        "chunk": uploads.CHUNK,
    }
    for at in range(0, len(CONTENT), 3000):
        assert put(client, id, at, CONTENT[at : at + 3000]).status_code == 200
    ended = client.post(f"/api/uploads/{id}/finish", json={"sha256": SHA256.upper()})
    assert (ended.status_code, ended.json()["sha256"]) == (200, SHA256)
    found = uploads.complete(small.settings, id)
    assert found.path.read_bytes() == CONTENT
    assert oct(found.path.parent.stat().st_mode & 0o777) == "0o700"
    assert client.post(f"/api/uploads/{id}/finish").json()["sha256"] == SHA256, "once more is no harm"
    assert put(client, id, len(CONTENT), b"x").status_code == 409, "nothing is added to what is complete"


def test_an_upload_goes_on_after_the_server_was_started_again(connect: Connect) -> None:
    id = begun(connect())
    assert put(connect(), id, 0, CONTENT[:5000]).json()["received"] == 5000
    again = connect()
    assert again.get(f"/api/uploads/{id}").json()["received"] == 5000
    put(again, id, 5000, CONTENT[5000:])
    assert connect().post(f"/api/uploads/{id}/finish", json={"sha256": SHA256}).json()["sha256"] == SHA256


def test_a_chunk_at_another_place_is_refused_with_the_right_one(client: TestClient) -> None:
    id = begun(client)
    put(client, id, 0, CONTENT[:5000])
    for offset in (0, 1, 4999, 5001, len(CONTENT)):
        answer = put(client, id, offset, b"x")
        assert (answer.status_code, answer.json()["received"]) == (409, 5000)
    for offset in ("", "-1", "x", "1e3", "٣", "9" * 16):
        assert put(client, id, offset, b"x").status_code == 400
    assert client.get(f"/api/uploads/{id}").json()["received"] == 5000


def test_more_than_was_announced_is_refused(client: TestClient, small: Studio) -> None:
    id = begun(client, size=10)
    answer = put(client, id, 0, b"x" * 11)
    assert answer.status_code == 400 and "larger than the 10 bytes expected" in answer.json()["message"]
    assert uploads.find(small.settings, id).received == 0
    assert put(client, id, 0, b"").status_code == 400


def test_what_is_not_all_there_cannot_be_finished_or_used(client: TestClient, small: Studio) -> None:
    id = begun(client)
    put(client, id, 0, CONTENT[:100])
    answer = client.post(f"/api/uploads/{id}/finish")
    assert answer.status_code == 409 and "100 of 10240 bytes" in answer.json()["message"]
    with pytest.raises(uploads.Conflict, match="is incomplete"):
        uploads.complete(small.settings, id)


def test_a_file_with_another_hash_is_thrown_away(client: TestClient, small: Studio) -> None:
    id = begun(client)
    put(client, id, 0, CONTENT)
    answer = client.post(f"/api/uploads/{id}/finish", json={"sha256": "0" * 64})
    assert answer.status_code == 400 and SHA256 in answer.json()["message"]
    assert left(small) == []
    assert client.post(f"/api/uploads/{begun(client)}/finish", json={"sha256": "short"}).status_code == 400


def test_beginnings_that_will_not_do(client: TestClient, small: Studio) -> None:
    for body in (
        b"",
        b"[]",
        b"{",
        b'{"name": "a"}',
        b'{"name": "", "size": 1}',
        b'{"name": 5, "size": 1}',
        b'{"name": "a", "size": "1"}',
        b'{"name": "a", "size": 1.5}',
        b'{"name": "a", "size": -1}',
        b'{"name": "a", "size": 1, "path": "/etc"}',
        b'{"name": "   ", "size": 1}',
        b'{"name": "a", "size": 0}',
        b"\xff\xfe",
    ):
        answer = client.post("/api/uploads", content=body)
        assert answer.status_code == 400 and answer.json()["message"]
    assert left(small) == []


NAMES = ["../../etc/passwd", "/etc/passwd", "..\\..\\a", "a/../../b", "a\0b", "\u202egnp.jsonl", "x" * 4000]


def test_a_name_is_shown_and_never_a_path(client: TestClient, small: Studio) -> None:
    for name in NAMES:
        id = begun(client, name=name)
        put(client, id, 0, CONTENT)
        client.post(f"/api/uploads/{id}/finish")
        [folder] = small.settings.uploads.iterdir()
        assert folder.name == id and sorted(path.name for path in folder.iterdir()) == ["data", "upload.json"]
        shown = uploads.find(small.settings, id).name
        assert len(shown) <= 500 and shown.isprintable()
        client.delete(f"/api/uploads/{id}")


def test_an_id_that_is_none(client: TestClient, small: Studio) -> None:
    secret = small.settings.uploads / "0" / "upload.json"
    secret.parent.mkdir()
    secret.write_text('{"name": "n", "size": 1}')
    for id in (NOBODYS, "A" * 32, "..", "%2e%2e%2fstudio.db", "studio.db", "a" * 31, "0" * 33, "0"):
        for answer in (
            client.get(f"/api/uploads/{id}"),
            put(client, id, 0, b"x"),
            client.post(f"/api/uploads/{id}/finish"),
        ):
            assert answer.status_code in (404, 405)
        client.delete(f"/api/uploads/{id}")
    assert secret.exists() and small.settings.database.exists()


def test_one_file_and_all_together_have_a_limit(client: TestClient, small: Studio) -> None:
    answer = begin(client, size=(1 << 20) + 1)
    assert answer.status_code == 413 and "the upload limit is 1 MB" in answer.json()["message"]
    first, _ = begun(client, size=1 << 20), begun(client, size=1 << 20)
    answer = begin(client, size=1)
    assert answer.status_code == 413 and "2 MB of uploads are waiting" in answer.json()["message"]
    assert client.delete(f"/api/uploads/{first}").status_code == 204
    assert begin(client, size=1).status_code == 200
    assert client.delete(f"/api/uploads/{first}").status_code == 204, "twice is no harm"


def test_two_windows_that_send_the_same_upload(client: TestClient, small: Studio) -> None:
    id = begun(client)
    other = os.open(uploads.find(small.settings, id).path, os.O_WRONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    answer = put(client, id, 0, CONTENT)
    assert answer.status_code == 409 and "received" not in answer.json()
    os.close(other)
    assert put(client, id, 0, CONTENT).status_code == 200
    assert put(client, id, 0, CONTENT).json()["received"] == len(CONTENT), "the other one hears where it is"


def test_a_full_disk_keeps_what_was_there(
    client: TestClient, small: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = begun(client)
    put(client, id, 0, CONTENT[:100])
    original = os.write

    def full(file: int, data: Any) -> int:
        if len(data) > 50:
            return original(file, data[:50])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    answer = put(client, id, 100, CONTENT[100:200])
    monkeypatch.undo()
    assert answer.status_code == 413 and "No space" in answer.json()["message"]
    put(client, id, 100, CONTENT[100:])
    assert client.post(f"/api/uploads/{id}/finish", json={"sha256": SHA256}).status_code == 200


def test_refusals_are_in_the_readers_language(client: TestClient) -> None:
    answer = client.get(f"/api/uploads/{NOBODYS}", headers={"accept-language": "zh-CN"})
    assert "该上传已不存在" in answer.json()["message"]


def test_old_uploads_are_swept_and_younger_ones_are_not(client: TestClient, small: Studio) -> None:
    old, young = begun(client), begun(client)
    for name in ("data", "upload.json"):
        os.utime(small.settings.uploads / old / name, (1, 1))
    os.utime(small.settings.uploads / young / "upload.json", (1, 1))  # Begun long ago, and still going on.
    assert uploads.sweep(small.settings) == 1
    assert left(small) == [young]


def test_bytes_that_are_here_already(small: Studio) -> None:
    kept = uploads.keep(small.settings, "pasted.txt", b"text")
    about = json.loads((kept.path.parent / "upload.json").read_text())
    assert about == {"name": "pasted.txt", "size": 4, "sha256": hashlib.sha256(b"text").hexdigest()}
