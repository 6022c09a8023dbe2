"""Behind the gate: how much of pages and of Gradio one account may use, so that nobody takes them from the others.

Gradio takes whatever is sent: any number of sessions and events, at any speed. Here each account (without
accounts: each address) stands in a line of its own. Whoever asks for much waits longer; only a flood is
refused. What goes on to Gradio is its body as it was read here, so that nothing is read twice in two ways.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import STAFF, account_in
from app.buckets import Bucket
from app.guard import Refused, client_of
from app.sessions import Sessions


@dataclass(frozen=True)
class Share:
    """What one account may have of the server."""

    at_once: int
    """Requests that are worked on. A browser sends up to six: the others wait for milliseconds."""
    burst: int
    """Requests that are taken as they come."""
    per_second: int
    """And so many a second after those."""


STAFFS = Share(at_once=4, burst=150, per_second=25)
"""Opening ten pages at once, and then what several pages with live charts ask for (two a second each)."""
ANNOTATORS = Share(at_once=1, burst=30, per_second=10)
"""Opening their page some times at once; it looks for news every few seconds, and verdicts go to ``/api/label``."""
LINE = 100
"""Requests that may wait: a page has a dozen when it opens, and somebody opens some pages at once."""
STREAMS = 48
"""Connections that listen: two for each session, and some that are about to end."""
ANNOTATORS_BODY = 256 << 10
"""Bytes of what an annotator sends Gradio: choices and a filter. Answers go to ``/api/label``."""

_API = "/gradio_api/"
_HEARTBEAT = re.compile(r"/gradio_api/heartbeat/([^/]+)/?")
_HEARD = re.compile(r"/gradio_api/queue/data/?")
_JOIN = re.compile(r"/gradio_api/queue/join/?")
_SERVER = re.compile(r"/gradio_api/component_server/?")


class Shares:
    """Plain ASGI, as the guard is."""

    def __init__(self, app: ASGIApp, sessions: Sessions, pages: Collection[str]) -> None:
        self.app, self.sessions, self.pages = app, sessions, pages
        # One bucket for each kind of share, so that the pace of annotators never borrows from the others'.
        self.paces = {share: Bucket(share.burst, share.per_second) for share in (STAFFS, ANNOTATORS)}
        self._lines: dict[tuple[str, Share], Line] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        document = (path.rstrip("/") or "/") in self.pages
        if scope["type"] != "http" or not (path.startswith(_API) or document):
            await self.app(scope, receive, send)
            return
        owner = owner_of(scope)
        share = STAFFS if account_in(scope).role in STAFF else ANNOTATORS
        # By share as well: whoever's role changes stands in another line at once.
        line = self._lines.setdefault((owner, share), Line(share.at_once))
        if document:  # It is made for who asks, which takes longer than most of what its page asks for then.
            async with line.turn(self.paces[share], owner):
                await self.app(scope, receive, send)
        elif scope["method"] == "POST":
            async with line.turn(self.paces[share], owner):
                await self._work(owner, scope, receive, send)
        elif _HEARTBEAT.fullmatch(scope["path"]) or _HEARD.fullmatch(scope["path"]):
            await self._listen(owner, line, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _work(self, owner: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Something that is to be run, joined to the queue or cancelled."""
        account = account_in(scope)
        body = read(await _whole(receive, None if account.role in STAFF else ANNOTATORS_BODY))
        if "session_hash" in body and body["session_hash"] is not None:
            await self.sessions.enter(owner, body["session_hash"])
        if _SERVER.fullmatch(scope["path"]):
            self._check_component(body)
        if _JOIN.fullmatch(scope["path"]):
            await self.sessions.room_for_event(owner)
        await self.app(*_as_read(scope, receive, body), send)

    def _check_component(self, body: dict[str, Any]) -> None:
        """Gradio itself fails at a component that it does not know, and looks a function up by any name."""
        number, name = body.get("component_id"), body.get("fn_name")
        # ``isinstance`` would let True pass for 1.
        if type(number) is not int or not isinstance(name, str) or "session_hash" not in body:
            raise Refused(HTTPStatus.BAD_REQUEST, "shell.refused_call")
        block = self.sessions.demo.blocks.get(number)
        if name not in {function.__name__ for function in getattr(block, "server_fns", ())} and not getattr(
            getattr(block, name, None), "_is_server_fn", False
        ):
            raise Refused(HTTPStatus.NOT_FOUND, "shell.refused_path")

    async def _listen(self, owner: str, line: Line, scope: Scope, receive: Receive, send: Send) -> None:
        """A connection that stays open and is told what happens in a session."""
        heartbeat = _HEARTBEAT.fullmatch(scope["path"])
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])
        session = await self.sessions.enter(owner, heartbeat[1] if heartbeat else asked[0])
        # Streams hold no turn, since they stay open for hours; so they are counted apart.
        if line.streams >= STREAMS:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "shell.refused_often")
        line.streams += 1
        session.streams += 1
        try:
            await self.app(scope, receive, send)
        finally:
            line.streams -= 1
            session.streams -= 1


class Line:
    """Where the requests of one account wait for their turn."""

    def __init__(self, at_once: int) -> None:
        self.slots = asyncio.Semaphore(at_once)
        self.waiting = 0
        self.streams = 0

    @asynccontextmanager
    async def turn(self, pace: Bucket, owner: str) -> AsyncIterator[None]:
        if self.waiting >= LINE:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "shell.refused_often")
        self.waiting += 1
        try:
            await self.slots.acquire()
        finally:
            self.waiting -= 1
        try:
            # In turn, with the slot held: the requests behind keep their order.
            while not pace.take(owner):
                await asyncio.sleep(pace.wait(owner))
            yield
        finally:
            self.slots.release()


def owner_of(scope: Scope) -> str:
    """Whose share a request takes from: an account's, or an address's as long as there are no accounts."""
    account = account_in(scope)
    if account.id is not None:
        return f"account {account.id}"
    address = client_of(scope)
    try:  # A browser may use both addresses of its own machine for one page.
        return "this machine" if ipaddress.ip_address(address).is_loopback else address
    except ValueError:
        return address


def read(body: bytes) -> dict[str, Any]:
    """The JSON object that a page sends to Gradio.

    Refuses files in it, at any depth: no page of ours sends one, and Gradio would look them up wherever they
    say that they are, before any handler has seen them.
    """
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "shell.refused_call") from None
    if not isinstance(sent, dict):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "shell.refused_call")
    # Not by recursion: what is nested a thousand times would end it.
    left: list[Any] = [sent]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if "path" in part or "url" in part or "meta" in part:
                raise Refused(HTTPStatus.FORBIDDEN, "shell.refused_file")
            left += part.values()
        elif isinstance(part, list):
            left += part
    return sent


async def _whole(receive: Receive, limit: int | None) -> bytes:
    """The body of a request; the guard has a limit for all, this one may be lower."""
    pieces, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(HTTPStatus.BAD_REQUEST, "shell.refused_call")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if limit is not None and size > limit:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "shell.refused_long")
        if not message.get("more_body"):
            return b"".join(pieces)


def _as_read(scope: Scope, receive: Receive, body: dict[str, Any]) -> tuple[Scope, Receive]:
    """The request with the body that was checked, whatever else the bytes could be read as."""
    content = orjson.dumps(body)
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": content, "more_body": False}

    scope = {**scope, "headers": list(scope["headers"])}
    headers = MutableHeaders(scope=scope)
    # The body is plain now, in one piece: what the headers said of the old one would be untrue.
    for name in ("content-encoding", "transfer-encoding"):
        if name in headers:
            del headers[name]
    headers["content-type"] = "application/json"
    headers["content-length"] = str(len(content))
    return scope, again
