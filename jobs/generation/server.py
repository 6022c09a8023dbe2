"""The chat worker: answers questions over HTTP on loopback, and ends by itself when nobody asks.

    python -m jobs.generation.server RUN_DIR        RUN_DIR holds a ``spec.json`` (ServeSpec)

``serve.json`` in the run's folder says where it listens and the token that every request must bear.

    POST /generate              {"sides": [{"model": ResolvedModel, "messages": [...]}], "key", and settings of
                                ``Sampling``} -> one JSON object a line (sides.py)
    POST /stop                  {"key": that of a generation, "side": which of its sides is to end now}
    POST /v1/chat/completions   the form that OpenAI's clients speak, for one model by its name
    GET  /v1/models, /health
    POST /offer                 {"models": [ResolvedModel]}: known by their names from now on; keeps the worker awake
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from jobs.generation.models import Models
from jobs.generation.openai_form import GIVEN_UP, Completion, Reply, error_document, failure
from jobs.generation.sides import Event, Side
from jobs.generation.turns import Desk
from studio_core.base import atomic
from studio_core.data import shapes
from studio_core.generation.sampling import Sampling
from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedModel, ServeSpec

# Eight sides with the longest prompts that a chat takes, and room.
_LARGEST_BODY = 8 << 20
_BODY_SECONDS = 30.0
"""Until a request's body is there: even the largest comes over loopback in a fraction of one."""
_END = 5.0
"""Seconds that connections without a generation have left when the worker ends: one may never send its body."""

router = APIRouter()


class Message(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str

    def plain(self) -> shapes.Message:
        return {"role": self.role, "content": self.content}


class Asked(BaseModel):
    model: ResolvedModel
    messages: list[Message] = Field(min_length=1)


class Generate(Sampling):
    model_config = ConfigDict(extra="ignore")

    sides: list[Asked] = Field(min_length=1, max_length=8)
    key: str = Field(default="", max_length=64)
    """By which one of its sides can be stopped."""


class Stop(BaseModel):
    key: str = Field(min_length=1, max_length=64)
    side: int = Field(ge=0, le=7)


class Offer(BaseModel):
    models: list[ResolvedModel] = Field(min_length=1)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _with_room(desk: Annotated[Desk, Depends(_desk)]) -> Desk:
    if desk.turns.full():
        raise HTTPException(503, "too many questions are waiting")
    return desk


AtDesk = Annotated[Desk, Depends(_desk)]
WithRoom = Annotated[Desk, Depends(_with_room)]


@router.get("/health")
def health(desk: AtDesk) -> dict[str, str]:
    return {"state": "serving", "device": str(desk.models.device)}


@router.get("/v1/models")
def models(desk: AtDesk) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in desk.known]}


@router.post("/stop")
def stop(asked: Stop, desk: AtDesk) -> dict[str, bool]:
    return {"stopped": desk.stop(asked.key, asked.side)}


@router.post("/generate")
async def generate(asked: Generate, desk: WithRoom, request: Request) -> StreamingResponse:
    sides = [Side(one.model, [message.plain() for message in one.messages]) for one in asked.sides]
    events = events_of(desk, request, sides, Sampling.of(asked), asked.key)

    async def lines() -> AsyncIterator[str]:
        async with aclosing(events):
            async for event in events:
                yield json.dumps(event, ensure_ascii=False) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


@router.post("/offer")
def offer(asked: Offer, desk: AtDesk) -> dict[str, int]:
    desk.offer(asked.models)
    return {"models": len(desk.known)}


@router.post("/v1/chat/completions", response_model=None)
async def complete(asked: Completion, desk: WithRoom, request: Request) -> StreamingResponse | JSONResponse:
    if asked.model not in desk.known:
        names = ", ".join(desk.known) or "none yet"
        raise HTTPException(404, f"there is no model {asked.model!r} at this address; there are: {names}")
    messages = [message.plain() for message in asked.messages]
    side = Side(desk.known[asked.model], messages, asked.readable_tools)
    events, reply = events_of(desk, request, [side], asked.sampling()), Reply(asked)
    # With the first event it is known whether there will be an answer: also a stream then begins with the status.
    first = await anext((event async for event in events if "state" not in event), None)
    if asked.stream and first is not None and not failure(first):
        return StreamingResponse(_completion_pieces(reply, first, events), media_type="text/event-stream")
    async with aclosing(events):
        async for event in _again(first, events):
            if failed := failure(event):
                return JSONResponse(failed[1], failed[0])
            reply.add(event)
    if reply.given_up:
        return JSONResponse(GIVEN_UP[1], GIVEN_UP[0])
    return JSONResponse(reply.document())


async def _again(first: Event | None, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """The events from the first one on, which was taken already."""
    if first is not None:
        yield first
    async for event in events:
        yield event


async def _completion_pieces(reply: Reply, first: Event, events: AsyncGenerator[Event]) -> AsyncIterator[str]:
    async with aclosing(events):
        async for event in _again(first, events):
            if failed := failure(event):
                yield _piece(failed[1])
                return  # Without its last line a stream is not taken for whole.
            for chunk in reply.chunks(event):
                yield _piece(chunk)
    if reply.given_up:
        yield _piece(GIVEN_UP[1])
        return
    if (last := reply.last_chunk()) is not None:
        yield _piece(last)
    yield "data: [DONE]\n\n"


def _piece(document: dict[str, Any]) -> str:
    return f"data: {json.dumps(document, ensure_ascii=False)}\n\n"


async def events_of(
    desk: Desk, request: Request, sides: Sequence[Side], sampling: Sampling, key: str = ""
) -> AsyncGenerator[Event]:
    """The events of one generation, which a thread of its own makes until they are all there or nobody wants them."""
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[Event | Exception | None] = asyncio.Queue()
    gone = threading.Event()

    def put(event: Event | Exception | None) -> None:
        loop.call_soon_threadsafe(events.put_nowait, event)

    def generate() -> None:
        try:
            for event in desk.answer(sides, sampling, gone.is_set, key):
                put(event)
            put(None)
        except Exception as error:
            put(error)

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone.set()

    watching = asyncio.create_task(watch())
    threading.Thread(target=generate, name="generation", daemon=True).start()
    try:
        while (event := await events.get()) is not None:
            if isinstance(event, Exception):
                raise event  # The connection breaks: a stream that just ended would look whole.
            yield event
    finally:
        gone.set()
        watching.cancel()


def _refusal(
    path: str,
    sentence: str,
    status: int,
    *,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Why there is no answer: as OpenAI's clients read it where they ask, else as one sentence."""
    theirs = error_document(sentence, status, param=param)
    return JSONResponse(theirs if path.startswith("/v1/") else {"error": sentence}, status, headers)


class Guard:
    """Looks at the head of a request, so that nothing of a body is read that is not allowed or too large."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._allowed = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if refusal := self._refusal(scope["method"], dict(scope["headers"])):
            status, sentence = refusal
            # What was not read of a body may follow on this connection.
            reply = _refusal(scope["path"], sentence, status, headers={"Connection": "close"})
            await reply(scope, receive, send)
        else:
            await self._app(scope, _in_time(receive), send)

    def _refusal(self, method: str, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._allowed):
            return 401, "the token of serve.json is required"
        length = headers.get(b"content-length", b"")
        if method == "POST" and not length.isdigit():
            return 411, "Content-Length is required"
        if length.isdigit() and int(length) > _LARGEST_BODY:
            return 413, "the body is too large"
        return None


def _in_time(receive: Receive) -> Receive:
    """``receive`` that refuses a body which does not come; what comes after it (a disconnect) may take its time."""
    until = time.monotonic() + _BODY_SECONDS
    whole = False

    async def received() -> AsgiMessage:
        nonlocal whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout(until - time.monotonic()):
                message = await receive()
        except TimeoutError as error:
            refusal = f"the body did not come within {_BODY_SECONDS:g} seconds"
            raise HTTPException(408, refusal, {"Connection": "close"}) from error
        whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return received


def application(desk: Desk, token: str) -> ASGIApp:
    """Its routes, behind the guard."""
    app = FastAPI(openapi_url=None)
    app.state.desk = desk
    app.include_router(router)

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(ValidationError)
    def invalid(request: Request, error: RequestValidationError | ValidationError) -> JSONResponse:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"] if part != "body")
        # What a whole request lacks is said without the name of a field.
        sentence = f"{name}: {first['msg']}" if name else first["msg"]
        return _refusal(request.url.path, sentence, 400, param=name or None)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        sentence = f"there is no {request.url.path}" if error.detail == "Not Found" else error.detail
        return _refusal(request.url.path, sentence, error.status_code, headers=error.headers)

    return Guard(app, token)


class ChatServer:
    """The application on a free port of loopback, in a thread of its own, so that signals stay with the main one."""

    def __init__(self, desk: Desk, token: str) -> None:
        self.desk, self.token = desk, token
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            application(desk, token),
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=[[self._socket]], name="chat-server", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Take no more requests; those that were taken are answered still, unless the desk is closing."""
        self._server.should_exit = True
        until = time.monotonic() + _END
        while self._thread.is_alive() and not self.desk.closing.is_set():
            if self.desk.idle_for() and time.monotonic() > until:
                break
            self._thread.join(0.05)
        self.desk.closing.set()
        self._thread.join(_END)


def main(run_dir: str | Path) -> int:
    """Serve until idle for ``spec.idle_seconds`` or told to end by SIGTERM; returns the exit code."""
    folder = Path(run_dir)
    spec = ServeSpec.model_validate(atomic.read_json(folder / run_folder.SPEC))
    events = run_folder.EventWriter(folder)
    events.write("phase", phase="loading")
    home = os.environ.get("TUNESMITH_STUDIO")
    desk = Desk(Models(), spec.preload, Path(home) / "llama_cpp" if home else None)
    server = ChatServer(desk, secrets.token_urlsafe(32))
    signal.signal(signal.SIGTERM, lambda *_: desk.closing.set())
    server.start()
    threading.Thread(target=desk.preload, args=[spec.preload], name="preload", daemon=True).start()
    address = {"port": server.port, "token": server.token, "pid": os.getpid()}
    atomic.write_json(folder / run_folder.SERVE, address, mode=0o600)
    events.write("config", values={"device": str(desk.models.device)})
    events.write("phase", phase="serving")
    while not desk.closing.wait(min(1.0, spec.idle_seconds / 4)) and desk.idle_for() < spec.idle_seconds:
        pass
    state = "stopped" if desk.closing.is_set() else "idle"
    (folder / run_folder.SERVE).unlink(missing_ok=True)
    server.close()
    events.write("result", state=state)
    events.close()
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    sys.exit(main(sys.argv[1]))
