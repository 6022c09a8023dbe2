"""Files of exports over HTTP: only those that there are, and any part of them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.parts import export_files
from studio_core.base.studio import Studio
from studio_core.exports import results, submitting
from studio_core.models import registry
from studio_core.runs.spec import ExportSpec

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def folder(studio: Studio) -> Path:
    registry.ensure_demo_models(studio)
    job = submitting.submit(studio, ExportSpec(model="tiny-chat", format="gguf", prompts=0))
    folder = results.folder_of(job)
    folder.mkdir(parents=True)
    (folder / "tiny-chat-Q8_0.gguf").write_bytes(CONTENT)
    entry = {
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "crc32": zlib.crc32(CONTENT),
    }
    manifest = {
        "format": "gguf",
        "options": {},
        "model": "../x\r\ny",
        "versions": {},
        "created_at": "",
        "seconds": 0,
    }
    document = {**manifest, "files": {"tiny-chat-Q8_0.gguf": entry}}
    (folder / "manifest.json").write_text(json.dumps(document))
    return folder


@pytest.fixture
def client(studio: Studio, folder: Path) -> TestClient:
    app = FastAPI()
    app.include_router(export_files.routes(studio))
    return TestClient(app)


def test_a_file_is_fetched_and_goes_on_from_a_byte(client: TestClient) -> None:
    address = export_files.address(1, "tiny-chat-Q8_0.gguf")
    assert client.get(address).content == CONTENT
    part = client.get(address, headers={"Range": "bytes=100-"})
    assert (part.status_code, part.content) == (206, CONTENT[100:])
    assert json.loads(client.get(export_files.address(1, "manifest.json")).content)["format"] == "gguf"


@pytest.mark.parametrize(
    "name", ["spec.json", "..%2Fspec.json", "..", "%2Fetc%2Fpasswd", "tiny-chat-Q8_0.gguf%00"]
)
def test_nothing_else_is(client: TestClient, name: str) -> None:
    assert client.get(f"/api/exports/1/files/{name}").status_code == 404
    assert client.get("/api/exports/2/archive").status_code == 404


def test_the_archive_goes_on_where_it_broke_off(client: TestClient) -> None:
    whole = client.get(export_files.archive_address(1))
    assert int(whole.headers["content-length"]) == len(whole.content)
    assert whole.headers["content-disposition"] == 'attachment; filename="x-y-gguf.zip"'
    with zipfile.ZipFile(io.BytesIO(whole.content)) as opened:
        assert opened.read("x-y-gguf/tiny-chat-Q8_0.gguf") == CONTENT
    tag = whole.headers["etag"]
    rest = client.get(export_files.archive_address(1), headers={"Range": "bytes=77-", "If-Range": tag})
    assert (rest.status_code, rest.content) == (206, whole.content[77:])
    assert rest.headers["content-range"] == f"bytes 77-{len(whole.content) - 1}/{len(whole.content)}"


def test_another_archive_begins_anew_and_nothing_lies_beyond_its_end(client: TestClient) -> None:
    address = export_files.archive_address(1)
    anew = client.get(address, headers={"Range": "bytes=77-", "If-Range": '"other"'})
    assert anew.status_code == 200 and anew.content[:2] == b"PK"
    assert client.get(address, headers={"Range": "bytes=999999999-"}).status_code == 416


def test_a_file_that_is_gone_is_told(client: TestClient, folder: Path) -> None:
    (folder / "tiny-chat-Q8_0.gguf").unlink()
    answer = client.get(export_files.archive_address(1))
    assert answer.status_code == 404 and "gone" in answer.text
