"""Requests that are not what any page of ours sends: refused in a sentence, and nothing of them is run."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app import connections, guard
from app.connections import TimedProtocol
from app.guard import BODY_LIMIT, FORM_LIMIT, TEXT_LIMIT, Guard
from app.parts import markdown
from studio_core.base.settings import Settings
from tests.people import cheap_hashes
from tests.unit.app.house import ANNOTATOR, TRAINER, House, open_house

__all__ = ["cheap_hashes"]
HOST = "http://127.0.0.1:7860"


async def echo(request: Request) -> JSONResponse:
    return JSONResponse({"headers": dict(request.headers), "size": len(await request.body())})


GUARDED = Guard(Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST", "PUT"])]), Settings())


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(GUARDED, base_url=HOST) as opened:
        yield opened


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, cheap_hashes: None) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("requests") / "home") as opened:
        yield opened


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For", "X-Forwarded-Prefix", "X-Forwarded-Port",
        "Forwarded", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL",
    ],
)  # fmt: skip
def test_what_only_a_proxy_may_say_reaches_nobody(client: TestClient, name: str) -> None:
    told = client.get("/data", headers={name: "evil.example"}).json()["headers"]
    assert "evil.example" not in told.values()


def test_a_page_names_no_host_that_a_header_named(house: House) -> None:
    evil = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    shown = house.visitors[TRAINER].get("/", headers=evil)
    assert shown.status_code == 200 and "evil.example" not in shown.text


def test_https_is_kept_to_once_it_was_used(client: TestClient) -> None:
    assert "strict-transport-security" not in client.get("/").headers
    with TestClient(GUARDED, base_url="https://127.0.0.1:7860") as encrypted:
        assert encrypted.get("/").headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/sign-in", FORM_LIMIT),
        ("/account", FORM_LIMIT),
        ("/nothing", FORM_LIMIT),
        ("/gradio_api/cancel", FORM_LIMIT),
        ("/gradio_api/reset", FORM_LIMIT),
        ("/gradio_api/component_server", TEXT_LIMIT),
        ("/api/label/1/vote", TEXT_LIMIT),
        ("/api/chat/1/rounds/1/prompt", TEXT_LIMIT),
        ("/api/uploads", TEXT_LIMIT),
        ("/api/uploads/1", BODY_LIMIT),
        ("/gradio_api/queue/join", BODY_LIMIT),
        ("/gradio_api/run/predict", BODY_LIMIT),
    ],
)
def test_a_body_is_no_longer_than_its_route_needs(
    client: TestClient, path: str, limit: int, announced: bool
) -> None:
    content: Any = b"x" * (limit + 1) if announced else iter([b"x" * limit, b"x"])
    assert client.post(path, content=content, headers={"origin": HOST}).status_code == 413
    fits: Any = b"x" * limit if announced else iter([b"x" * limit])
    assert client.post(path, content=fits, headers={"origin": HOST}).json()["size"] == limit


@pytest.mark.parametrize("path", ["run/predict", "queue/join", "component_server"])
def test_an_annotator_sends_no_long_bodies(house: House, path: str) -> None:
    body = {"data": ["x" * 300_000], "fn_index": 0, "session_hash": "long"}
    assert house.visitors[ANNOTATOR].post(f"/gradio_api/{path}", json=body).status_code == 413


NO_CALLS = {
    "nothing": b"",
    "half": b'{"data": [1',
    "a list": b"[1, 2]",
    "a string": b'"data"',
    "a number": b"7",
    "null": b"null",
    "not a number": b'{"data": [NaN], "fn_index": 0}',
    "half a letter": b'{"data": ["\\ud83d"], "fn_index": 0}',
    "another encoding": '{"data": [], "fn_index": 0}'.encode("utf-16"),
    "five thousand lists": b'{"data": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "no data": b'{"fn_index": 0}',
    "data of another kind": b'{"data": {"0": 1}, "fn_index": 0}',
    "a form": b"data=1&fn_index=0",
}


@pytest.mark.parametrize("body", NO_CALLS.values(), ids=NO_CALLS.keys())
def test_what_is_no_call_is_refused(house: House, body: bytes) -> None:
    for path in ("run/predict", "queue/join", "component_server", "cancel"):
        answer = house.visitors[ANNOTATOR].post(f"/gradio_api/{path}", content=body)
        assert answer.status_code in (400, 422), (path, answer.status_code)


@pytest.mark.parametrize(
    "name", ["", "a" * 65, "../x", "a b", "a\nb", "ä", 7, 1.5, True, ["a"], {"a": 1}], ids=repr
)
def test_a_session_has_a_plain_name(house: House, name: object) -> None:
    known = len(house.demo.state_holder.session_data)  # type: ignore[attr-defined]
    for path in ("run/predict", "queue/join", "cancel"):
        body = {"data": [], "fn_index": 0, "session_hash": name, "event_id": "x"}
        assert house.visitors[ANNOTATOR].post(f"/gradio_api/{path}", json=body).status_code in (400, 422)
    assert len(house.demo.state_holder.session_data) == known  # type: ignore[attr-defined]


OTHERS = {
    "run": ("POST", "run/predict", {"data": [], "fn_index": 0}),
    "join": ("POST", "queue/join", {"data": [], "fn_index": 0}),
    "cancel": ("POST", "cancel", {"fn_index": 0, "event_id": "x"}),
    "call a component": ("POST", "component_server", {"component_id": 1, "fn_name": "x", "data": 1}),
    "listen": ("GET", "queue/data?session_hash=toms", None),
    "hold open and end": ("GET", "heartbeat/toms", None),
}


@pytest.mark.parametrize(("method", "path", "body"), OTHERS.values(), ids=OTHERS.keys())
def test_nobody_enters_the_session_of_another(
    house: House, method: str, path: str, body: dict[str, Any] | None
) -> None:
    load = next(n for n, fn in house.demo.fns.items() if f"/{fn.page}" == "/runs" and fn.fn and not fn.queue)
    own = {"data": [None] * len(house.demo.fns[load].inputs), "fn_index": load, "session_hash": "toms"}
    assert (
        house.visitors[TRAINER].post("/gradio_api/run/predict", json=own).status_code == 500
    )  # It is reached.
    sent = {} if body is None else {"json": {**body, "session_hash": "toms"}}
    answer = house.visitors[ANNOTATOR].request(method, f"/gradio_api/{path}", **sent)
    assert answer.status_code == 403 and "opened by another account" in answer.text


COMPONENTS = {
    "unknown": {"component_id": 10**6},
    "negative": {"component_id": -1},
    "very large": {"component_id": 2**63},
    "a name": {"component_id": "1"},
    "a list": {"component_id": [1]},
    "true": {"component_id": True},
    "nothing": {"component_id": None},
    "a method": {"component_id": 1, "fn_name": "postprocess"},
    "an inner name": {"component_id": 1, "fn_name": "__init__"},
    "a list as name": {"component_id": 1, "fn_name": ["x"]},
    "no name": {"component_id": 1, "fn_name": None},
    "no session": {"component_id": 1, "session_hash": None},
}


@pytest.mark.parametrize("asked", COMPONENTS.values(), ids=COMPONENTS.keys())
def test_functions_of_components_are_called_by_their_number_only(
    house: House, asked: dict[str, object]
) -> None:
    body = {"data": None, "fn_name": "x", "session_hash": "components", **asked}
    for path in ("component_server", "component_server/"):
        answer = house.visitors[TRAINER].post(f"/gradio_api/{path}", json=body)
        assert answer.status_code in (400, 404), answer.status_code


def test_a_component_takes_no_form_with_files(house: House) -> None:
    form = {"component_id": "1", "fn_name": "x", "session_hash": "s"}
    answer = house.visitors[TRAINER].post(
        "/gradio_api/component_server", data=form, files={"f": ("x", b"y" * 1000)}
    )
    assert answer.status_code == 422


async def _ending(monkeypatch: pytest.MonkeyPatch, *pieces: bytes) -> bytes:
    """What a server says to somebody who sends these pieces and then no more, until it hangs up."""
    monkeypatch.setattr(connections, "HEAD", 0.3)
    monkeypatch.setattr(guard, "BEGINNING", 0.3)
    server = uvicorn.Server(uvicorn.Config(GUARDED, log_level="error", http=TimedProtocol, lifespan="off"))
    told = b""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", bound.getsockname()[1])
        with suppress(ConnectionError):  # It hung up while the pieces were sent.
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.05)
        with suppress(ConnectionError):
            told = await asyncio.wait_for(
                reader.read(), 30
            )  # Until it hangs up, which nobody else here does.
        writer.close()
        server.should_exit = True
        await serving
    return told


_HEAD = b"POST /api/label/1/vote HTTP/1.1\r\nHost: 127.0.0.1\r\n"
SLOW = {
    "nothing": ([], b""),
    "half a line": ([b"GET / HT"], b""),
    "letter by letter": ([bytes([letter]) for letter in b"GET / HTTP/1.1\r"], b""),
    "half a second head": ([b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET /x HTTP/1.1\r\nHo"], b"200"),
    "no body": ([_HEAD + b"Content-Length: 100\r\n\r\n"], b"408"),
    "half a body": ([_HEAD + b"Content-Length: 100\r\n\r\nhalf"], b"408"),
    "a chunk without an end": ([_HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"], b"408"),
}


@pytest.mark.parametrize(("pieces", "told"), SLOW.values(), ids=SLOW.keys())
def test_half_a_request_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], told: bytes
) -> None:
    answer = asyncio.run(_ending(monkeypatch, *pieces))
    assert told in answer if told else answer == b""


@pytest.mark.parametrize(
    "text",
    ["$x" * 20_000, "$x$ " * 12_000, "$" * 50_000, "\\$x$ " * 9_000],
    ids=["x", "pairs", "signs", "escaped"],
)
def test_formulas_without_end_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(markdown, "_formula", lambda *_: pytest.fail("a formula was read"))
    assert "x" in markdown.rendered(text) or "$" in markdown.rendered(text)


def test_an_answer_with_many_formulas_has_them() -> None:
    shown = markdown.rendered("the number $x$ and " * 400)
    assert shown.count("<math") == 400


def test_what_was_checked_is_what_gradio_reads(house: House) -> None:
    """The same name twice, in bytes that two readers could understand in two ways."""
    twice = b'{"data": [], "fn_index": 0, "session_hash": "toms", "session_hash": "leas-own"}'
    json.loads(twice)
    answer = house.visitors[ANNOTATOR].post("/gradio_api/run/predict", content=twice)
    assert (
        answer.status_code == 403 and "opened by another account" not in answer.text
    )  # Not hers is the handler.
