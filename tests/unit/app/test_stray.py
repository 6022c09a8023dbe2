"""Requests that no page of ours sends: old and unknown addresses, handlers called with anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.i18n import say
from app.pages import PAGES
from app.web import create_app
from studio_core.base.studio import Studio, open_studio
from studio_core.models import registry
from studio_core.runs import engine_process, queue

NONSENSE: list[Any] = [
    None,
    "x" * 2000,
    -1,
    1e308,
    True,
    [],
    [[None]],
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
    "99999999999999999999",
    "../../etc/passwd",
    "1|1|a|b|c|d|e|f",
]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    opened = open_studio(home=tmp_path_factory.mktemp("stray") / "home")
    registry.ensure_demo_models(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(studio: Studio) -> Iterator[TestClient]:
    address = "http://127.0.0.1:7860"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_process, "_PATIENCE", 0.0)  # No engine is started, and nobody waits for one.
        patch.setattr(engine_process.subprocess, "Popen", lambda *_, **__: _NoProcess())
        with TestClient(create_app(studio), base_url=address, raise_server_exceptions=False) as opened:
            yield opened


class _NoProcess:
    def poll(self) -> int:
        return 1


@pytest.mark.parametrize(
    "path",
    [
        "/api/predict", "/api/predict/", "/run/predict", "/queue/join", "/queue/data", "/gradio_api/info",
        "/gradio_api/call/predict", "/gradio_api/api/nothing", "/gradio_api/run/99999", "/config", "/login",
        "/startup-events", "/monitoring", "/gradio_api/mcp/", "/file=/etc/passwd",
        "/gradio_api/file=/etc/passwd", "/gradio_api/proxy=http://example.com/", "/wp-login.php", "/.env",
    ],
)  # fmt: skip
def test_old_and_unknown_addresses_answer_quietly(client: TestClient, path: str) -> None:
    for answer in (client.get(path), client.post(path, json={"data": [1], "fn_index": 0})):
        # Gradio has no status but 500 for what a handler refuses, in a sentence of ours here as anywhere.
        refused = answer.status_code == 500 and answer.json()["error"] == say("shell.refused_call", "en")
        assert answer.status_code < 500 or answer.status_code == 503 or refused, (path, answer.text[:300])
        assert "Traceback" not in answer.text and "root:" not in answer.text
    assert client.get("/health").json()["ok"]


def handlers(client: TestClient) -> dict[int, dict[str, Any]]:
    """Every handler of every page, as the pages' own scripts know them."""
    found = {}
    for page in PAGES:
        document = client.get(page.PATH).text
        begin = document.index("window.gradio_config = ") + len("window.gradio_config = ")
        config, _ = json.JSONDecoder().raw_decode(document[begin:])
        found.update({d["id"]: d for d in config["dependencies"] if d["backend_fn"]})
    return found


def test_handlers_called_with_anything_change_nothing_and_show_no_trace(
    client: TestClient, studio: Studio
) -> None:
    before = len(queue.all_jobs(studio)), len(registry.all_models(studio))
    every = handlers(client)
    assert len(every) > 40
    for number, handler in every.items():
        count = len(handler["inputs"])
        bodies = [[value] * count for value in NONSENSE] + [[], [None] * (count + 3)]
        for data in bodies if count else [[], [1, 2]]:
            body = {"data": data, "fn_index": number, "session_hash": "stray", "event_data": {"job": "x"}}
            answer = client.post("/gradio_api/run/predict", json=body)
            assert "Traceback" not in answer.text, (handler["api_name"], data, answer.text[:500])
    assert client.get("/health").json()["ok"]
    assert before == (len(queue.all_jobs(studio)), len(registry.all_models(studio)))
    assert not queue.is_paused(studio)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b'{"data": 1}', b'{"data": [], "fn_index": "x"}']
)
def test_bodies_that_are_none(client: TestClient, body: bytes) -> None:
    for path in ("/gradio_api/run/predict", "/gradio_api/queue/join", "/gradio_api/reset"):
        answer = client.post(path, content=body, headers={"content-type": "application/json"})
        assert 400 <= answer.status_code <= 500 and "Traceback" not in answer.text
    assert client.get("/health").json()["ok"]
