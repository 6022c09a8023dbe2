"""A studio without accounts, and somebody else who is signed in to the same machine."""

from __future__ import annotations

import stat
import webbrowser
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

import app.web
from app import server
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio, open_studio
from studio_core.people import accounts, first_address
from tests.browser.conftest import free_port, start_web, stop_engine
from tests.people import PASSWORD, cheap_hashes

__all__ = ["cheap_hashes"]
HOST = "http://127.0.0.1:7860"
COOKIE = "tunesmith-7860-token"


def opened(home: Path, **settings: Any) -> Iterator[tuple[TestClient, Studio]]:
    with (
        closing(open_studio(home=home, **settings)) as studio,
        TestClient(app.web.create_app(studio), base_url=HOST, follow_redirects=False) as client,
    ):
        yield client, studio


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, str]]:
    """A studio that asks for its token, and the token."""
    for client, studio in opened(tmp_path_factory.mktemp("asked") / "home", local_token=True):
        yield client, first_address.token(studio.settings.home)


@pytest.fixture
def stranger(asked: tuple[TestClient, str]) -> TestClient:
    asked[0].cookies.clear()
    return asked[0]


REQUESTS = [
    ("GET", "/"), ("GET", "/data"), ("GET", "/users"), ("GET", "/account"), ("GET", "/config"),
    ("GET", "/api/me"), ("GET", "/api/status"), ("GET", "/api/datasets/1/jsonl"), ("POST", "/api/uploads"),
    ("POST", "/sign-out"), ("POST", "/account"), ("POST", "/api/label/1/vote"), ("GET", "/gradio_api/info"),
    ("POST", "/gradio_api/run/predict"), ("POST", "/gradio_api/queue/join"), ("GET", "/gradio_api/heartbeat/a"),
    ("GET", "/gradio_api/queue/data?session_hash=a"), ("POST", "/gradio_api/component_server"),
    ("GET", "/gradio_api/file=/etc/passwd"), ("GET", "/theme.css"), ("GET", "/assets/index.js"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_without_the_token_nothing_is_there(stranger: TestClient, method: str, path: str) -> None:
    answer = stranger.request(method, path, headers={"origin": HOST})
    assert answer.status_code == 401
    assert "gradio_config" not in answer.text and "set-cookie" not in answer.headers


GUESSES = ["", " ", "0", "null", "token", "' OR 1=1 --", "token\x00", "任何", "a" * 43, "%00", "a" * 10_000]


@pytest.mark.parametrize("guess", GUESSES, ids=lambda guess: ascii(guess[:20]))
def test_a_guess_opens_nothing(stranger: TestClient, guess: str) -> None:
    answer = stranger.get("/", params={"token": guess})
    assert answer.status_code == 401 and "set-cookie" not in answer.headers
    assert stranger.get("/api/me", headers={"cookie": f"{COOKIE}={'a' * 43}"}).status_code == 401


def test_a_part_of_the_token_opens_nothing(stranger: TestClient, asked: tuple[TestClient, str]) -> None:
    token = asked[1]
    for wrong in (token[:-1], f"{token}x", token.swapcase(), token[::-1], f"{token}\n"):
        assert stranger.get("/", params={"token": wrong}).status_code == 401
    for cookie in (f"tunesmith-7860={token}", f"tunesmith-9999-token={token}", f"token={token}"):
        assert stranger.get("/", headers={"cookie": cookie}).status_code == 401
    for header in ("authorization", "x-token", "token"):
        assert stranger.get("/", headers={header: f"Bearer {token}"}).status_code == 401


def test_only_a_page_takes_the_token(stranger: TestClient, asked: tuple[TestClient, str]) -> None:
    for path in ("/%2Fevil.example/", "/api/me", "/gradio_api/info", "/static/css/studio.css", "/nothing"):
        answer = stranger.get(path, params={"token": asked[1]})
        assert "set-cookie" not in answer.headers and "evil.example" not in answer.headers.get("location", "")
    assert stranger.post("/", params={"token": asked[1]}, headers={"origin": HOST}).status_code == 401


def test_the_first_address_opens_the_page_and_is_forgotten(
    stranger: TestClient, asked: tuple[TestClient, str]
) -> None:
    answer = stranger.get("/dataset", params={"id": "1", "token": asked[1]})
    assert answer.status_code == 303 and answer.headers["location"] == "/dataset?id=1"
    kept = answer.headers["set-cookie"]
    assert kept.startswith(f"{COOKIE}={asked[1]};") and "HttpOnly" in kept and "SameSite=strict" in kept
    assert stranger.get("/dataset?id=1").status_code == 200
    assert stranger.get("/api/me").json() == {"name": "me", "role": "administrator"}


def test_a_link_on_another_site_comes_to_the_page_by_our_own_hand(stranger: TestClient) -> None:
    """The browser holds the cookie back; led on by our own page it sends it."""
    opened = stranger.get("/runs", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})
    assert opened.status_code == 200 and 'content="0; url=/runs"' in opened.text


@pytest.mark.parametrize(
    ("language", "sentence"), [("en", "ends in ?token="), ("zh-CN", "启动 Tunesmith 的终端")]
)
def test_a_page_without_it_says_where_it_is(stranger: TestClient, language: str, sentence: str) -> None:
    shown = stranger.get("/train", headers={"cookie": f"lang={language}"}).text
    assert sentence in shown and "TUNESMITH_LOCAL_TOKEN=0" in shown and 'name="token"' in shown
    assert f'lang="{language}"' in shown


def test_the_setting_switches_it_off(tmp_path: Path) -> None:
    for client, studio in opened(tmp_path / "home", local_token=False):
        assert client.get("/").status_code == 200
        assert server.address_of(studio, "127.0.0.1", 7860) == HOST
        assert not first_address.token_file(studio.settings.home).exists()


def test_with_accounts_the_token_opens_nothing(tmp_path: Path, cheap_hashes: None) -> None:
    for client, studio in opened(tmp_path / "home", local_token=True):
        token = first_address.token(studio.settings.home)
        assert client.get("/", params={"token": token}).status_code == 303
        assert client.get("/").status_code == 200
        accounts.add(studio, "ann", "administrator", PASSWORD)
        assert client.get("/").headers["location"] == "/sign-in"
        assert client.get("/", params={"token": token}).headers["location"].startswith("/sign-in")
        assert client.get("/api/me").status_code == 401
        assert "token" not in server.address_of(studio, "127.0.0.1", 7860)


def test_nobody_else_can_read_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_studio(home=tmp_path / "home", local_token=True)) as studio:
        address = server.address_of(studio, "127.0.0.1", 7860)
        started: list[str] = []
        monkeypatch.setattr(webbrowser, "open", started.append)
        server.show(studio, address)
        token = first_address.token(studio.settings.home)
        assert address == f"{HOST}/?token={token}" and len(token) == 43
        assert token not in started[0] and started[0].startswith("file:///")
        leading = Path(started[0].removeprefix("file://"))
        assert f"url={address}" in leading.read_text()
        for file in (leading, first_address.token_file(studio.settings.home)):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_token_is_made_once_and_a_damaged_one_is_said(tmp_path: Path) -> None:
    first = first_address.token(tmp_path)
    assert first_address.token(tmp_path) == first
    first_address.token_file(tmp_path).write_text("")
    with pytest.raises(StudioError, match="damaged"):
        first_address.fits(tmp_path, "") or first_address.fits(tmp_path, "x")


def test_a_real_studio_prints_its_first_address(tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    web = start_web(home, port, TUNESMITH_LOCAL_TOKEN="1")
    try:
        [line] = [line for line in (home / "web.out").read_text().splitlines() if "?token=" in line]
        address = line.split()[-1]
        with httpx.Client(trust_env=False, timeout=240) as stranger:
            assert stranger.get(address.partition("?")[0]).status_code == 401
        with httpx.Client(trust_env=False, timeout=240, follow_redirects=True) as owner:
            shown = owner.get(address)
            assert (
                shown.status_code == 200 and "gradio_config" in shown.text and "token" not in str(shown.url)
            )
        command = Path(f"/proc/{web.pid}/cmdline")
        assert not command.exists() or address.partition("=")[2] not in command.read_text()
        audit = (home / "logs" / "audit.log").read_text()
        assert "token from 127.0.0.1 accepted" in audit and address.partition("=")[2] not in audit
    finally:
        web.terminate()
        web.wait(240)
        stop_engine(home)
