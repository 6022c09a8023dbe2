from __future__ import annotations

import gzip

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.files import PLOTLY, StudioFiles, asset


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=[Mount("/", StudioFiles())]))


def address(name: str) -> str:
    return asset(name).removeprefix("/static")


def test_a_versioned_file_is_compressed_and_kept(client: TestClient) -> None:
    answer = client.get(address("css/studio.css"), headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert "--ts-accent" in answer.text


def test_a_file_without_its_version_is_asked_for_again(client: TestClient) -> None:
    answer = client.get("/css/studio.css", headers={"accept-encoding": "identity"})
    assert answer.headers["cache-control"] == "no-cache"
    assert "content-encoding" not in answer.headers
    unchanged = client.get("/css/studio.css", headers={"if-none-match": answer.headers["etag"]})
    assert unchanged.status_code == 304


def test_plotly_comes_from_its_package(client: TestClient) -> None:
    answer = client.get(address(PLOTLY), headers={"accept-encoding": "gzip"})
    assert int(answer.headers["content-length"]) < 2_000_000 < len(answer.content)
    assert b"plotly.js v" in answer.content[:200]
    assert gzip.compress(b"")  # The answer was decoded by the client.


def test_gradios_own_files_are_served_too(client: TestClient) -> None:
    assert client.get("/fonts/IBMPlexSans/IBMPlexSans-Regular.woff2").status_code == 200
    assert client.get("/logo.svg").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/models/tiny-base/config.json",
        "/samples/",
        "/__init__.py",
        "/css/../models",
        "/%2e%2e/app/web.py",
        "/js/",
    ],
)
def test_nothing_else_is_public(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (400, 404)


def test_an_address_changes_with_its_file() -> None:
    assert asset("css/studio.css") != asset("css/home.css")
    with pytest.raises(FileNotFoundError):
        asset("css/no-such.css")
