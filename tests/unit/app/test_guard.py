"""Each attack that the note on Gradio measured, against the guard around a small application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app.buckets import Bucket
from app.guard import BODY_LIMIT, Guard
from studio_core.base.settings import Settings

HOST = "http://127.0.0.1:7860"
MEGABYTE = 1 << 20


@pytest.fixture
def reached() -> list[str]:
    """Paths of the requests that got through, with the bytes of their bodies."""
    return []


@pytest.fixture
def client(reached: list[str]) -> Iterator[TestClient]:
    async def anything(request: Request) -> PlainTextResponse:
        reached.append(f"{request.url.path} {len(await request.body())}")
        return PlainTextResponse("done")

    app = Starlette(
        routes=[Route("/{path:path}", anything, methods=["GET", "POST", "PUT", "HEAD", "DELETE"])]
    )
    guarded = Guard(app, Settings(allowed_hosts="studio.example.org"))
    with TestClient(guarded, base_url=HOST) as opened:
        yield opened


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:7860", "localhost:7860", "[::1]:7860", "localhost", "LOCALHOST:9000", "Studio.Example.org"],
)
def test_own_names_are_let_in(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "localhost@evil.example", "10.0.0.5", ""],
)
def test_a_rebound_name_is_refused(client: TestClient, reached: list[str], host: str) -> None:
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 400
    assert "127.0.0.1" in answer.text
    assert client.post("/gradio_api/queue/join", headers={"host": host}).status_code == 400
    assert reached == []


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:9999",
        "https://127.0.0.1:7860",
        "http://localhost:7860",
    ],
)
def test_a_post_of_another_origin_is_refused(client: TestClient, reached: list[str], origin: str) -> None:
    for path in ("/gradio_api/queue/join", "/api/uploads", "/gradio_api/run/save", "/api/vote"):
        assert client.post(path, headers={"origin": origin}, content=b"{}").status_code == 403
    assert reached == []


def test_a_post_of_our_own_page_passes(client: TestClient) -> None:
    own = {"origin": HOST, "sec-fetch-site": "same-origin"}
    assert client.post("/gradio_api/queue/join", headers=own).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_cross_site_upload_or_picture_is_refused(client: TestClient, reached: list[str], site: str) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
    assert client.post("/api/uploads", headers=headers, files={"files": b"x"}).status_code == 403
    assert client.get("/gradio_api/file=/tmp/a.png", headers=headers).status_code == 403
    assert reached == []


def test_a_link_on_another_site_may_open_the_page(client: TestClient) -> None:
    opened = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/data", headers=opened).status_code == 200
    assert client.post("/data", headers=opened).status_code == 403


def test_an_oversize_request_is_refused_before_it_is_read(client: TestClient, reached: list[str]) -> None:
    assert client.post("/gradio_api/run/save", content=b"x" * (BODY_LIMIT + 1)).status_code == 413
    assert client.put("/api/uploads/a", content=b"x" * (BODY_LIMIT + 1)).status_code == 413
    assert reached == []


def test_a_chunk_of_an_upload_passes(client: TestClient, reached: list[str]) -> None:
    assert client.put("/api/uploads/a?offset=0", content=b"x" * (4 * MEGABYTE)).status_code == 200
    assert reached == [f"/api/uploads/a {4 * MEGABYTE}"]


@pytest.mark.parametrize(
    ("path", "size"), [("/api/uploads/a", 9 * MEGABYTE), ("/gradio_api/run/a", 9 * MEGABYTE)]
)
def test_a_chunked_request_cannot_hide_its_size(
    client: TestClient, reached: list[str], path: str, size: int
) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(size // MEGABYTE):
            yield b"x" * MEGABYTE

    assert client.post(path, content=chunks()).status_code == 413
    assert reached == []


def test_a_false_length_is_refused(client: TestClient) -> None:
    for length in ("-5", "many"):
        assert client.post("/api/uploads", headers={"content-length": length}).status_code == 413


def test_preflight_requests_get_no_answer(client: TestClient) -> None:
    answer = client.options("/api/uploads", headers={"origin": HOST, "access-control-request-method": "POST"})
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for answer in (client.get("/"), client.get("/", headers={"host": "evil.example"})):
        policy = answer.headers["content-security-policy"]
        assert "connect-src 'self'" in policy and "img-src 'self' data: blob:" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_refusal_is_said_in_the_readers_language(client: TestClient) -> None:
    client.cookies.set("lang", "zh-CN")
    assert "不允许通过此地址访问" in client.get("/", headers={"host": "evil.example"}).text


def test_uploads_are_rationed(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.buckets.time.monotonic", lambda: 100.0)
    answers = [client.put("/api/uploads/a", content=b"x").status_code for _ in range(610)]
    assert answers[:600] == [200] * 600
    assert answers[-1] == 429
    assert client.get("/api/uploads/a").status_code == 200


def test_a_bucket_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("app.buckets.time.monotonic", lambda: now)
    bucket = Bucket(burst=2, per_second=0.5)
    assert [bucket.take("a") for _ in range(3)] == [True, True, False]
    assert bucket.take("b")
    now += 2
    assert [bucket.take("a") for _ in range(2)] == [True, False]


async def _drain(guard: Guard, scope: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await guard(scope, receive, send)
    return sent


def test_web_sockets_are_closed() -> None:
    import asyncio

    guard = Guard(Starlette(), Settings())
    assert asyncio.run(_drain(guard, {"type": "websocket", "path": "/"}))[0]["type"] == "websocket.close"


def test_a_stream_passes_as_it_comes(reached: list[str]) -> None:
    """Nothing is held back until the end, as Starlette's middleware classes would."""
    import asyncio

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async for part in parts():
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            yield str(number).encode()

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/gradio_api/queue/data",
        "scheme": "http",
        "headers": [(b"host", b"localhost")],
        "query_string": b"",
    }
    sent = asyncio.run(_drain(Guard(stream, Settings()), scope))
    assert [message.get("body") for message in sent[1:]] == [b"0", b"1", b"2", b""]


@pytest.mark.parametrize(
    ("arrived", "host", "status"),
    [
        ("10.0.0.5", "10.0.0.5:7860", 200),
        ("fd00::7", "[fd00::7]:7860", 200),
        ("10.0.0.5", "10.0.0.6", 400),
        ("evil.example", "evil.example", 400),
    ],
)
def test_the_address_at_which_a_request_arrived_is_ours(
    reached: list[str], arrived: str, host: str, status: int
) -> None:
    """Nobody can make a browser send a bare address that was not opened; a name can be rebound to it."""
    import asyncio

    async def done(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("done")(scope, receive, send)

    scope = {
        "type": "http", "method": "GET", "path": "/", "scheme": "http", "query_string": b"",
        "headers": [(b"host", host.encode())], "server": (arrived, 7860),
    }  # fmt: skip
    assert asyncio.run(_drain(Guard(done, Settings()), scope))[0]["status"] == status


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/account"])
def test_a_form_with_passwords_comes_from_our_own_page_or_not_at_all(
    client: TestClient, reached: list[str], path: str
) -> None:
    form = {"name": "ann", "password": "stolen"}
    for headers in (
        {},  # A script, or a browser that hides where it comes from.
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"origin": HOST, "sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:7860.evil.example"},
    ):
        assert client.post(path, data=form, headers=headers).status_code == 403
    assert reached == []
    assert client.post(path, data=form, headers={"origin": HOST}).status_code == 200
    assert client.post(path, data={"name": "x" * 20_000}, headers={"origin": HOST}).status_code == 413


def test_sign_ins_are_rationed_whatever_their_outcome(client: TestClient) -> None:
    answers = [client.post("/sign-in", headers={"origin": HOST}) for _ in range(20)]
    assert [answer.status_code for answer in answers[:15]] == [200] * 15
    assert answers[-1].status_code == 429 and "Too many attempts" in answers[-1].text
