"""The chat worker: answers questions over HTTP on loopback, and ends by itself when nobody asks.

    python -m jobs.inference.server RUN_DIR        RUN_DIR holds a ``spec.json`` (ServeSpec)

``serve.json`` in the run's folder says where it listens and the token that every request must bear.

    POST /generate              {"sides": [{"model": ResolvedModel, "messages": [...]}], "temperature",
                                "top_p", "seed", "max_tokens", "key"} -> one JSON object a line (answers.py)
    POST /stop                  {"key": that of a generation, "side": which of its sides is to end now}
    POST /v1/chat/completions   the form that OpenAI's clients speak, for one model by its name
    GET  /v1/models, /health
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import secrets
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.inference.answers import Event, Side, answer
from jobs.inference.models import Models
from studio_core.base import atomic
from studio_core.base.errors import StudioError
from studio_core.base.validation import complaint
from studio_core.generation.sampling import Sampling
from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedModel, ServeSpec

log = logging.getLogger(__name__)

_LARGEST_BODY = 8 << 20
_MOST_WAITING = 16
_READ_TIMEOUT = 30.0


class Message(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str


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


class Completion(BaseModel):
    """A request of OpenAI's form; fields that mean nothing here are passed over."""

    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    temperature: float = 0.7
    top_p: float = 0.9
    seed: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None


class Turns:
    """One generation at a time, in the order of asking; a bounded number may wait."""

    def __init__(self, most: int = _MOST_WAITING) -> None:
        self._most = most
        self._queue: deque[object] = deque()
        self._moved = threading.Condition()

    def full(self) -> bool:
        return len(self._queue) > self._most

    @contextmanager
    def turn(self, gave_up: Callable[[], bool]) -> Iterator[bool]:
        """Waits for the turn; gives False if the one who asked went away meanwhile."""
        ticket = object()
        with self._moved:
            self._queue.append(ticket)
        try:
            with self._moved:
                while not (mine := self._queue[0] is ticket) and not gave_up():
                    self._moved.wait(0.1)
            yield mine
        finally:
            with self._moved:
                self._queue.remove(ticket)
                self._moved.notify_all()


class ChatServer(ThreadingHTTPServer):
    """The HTTP server with what its requests share: models, turns, the time of the last request."""

    daemon_threads = True

    def __init__(self, spec: ServeSpec, models: Models, token: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.models = models
        self.token = token
        self.turns = Turns()
        self.closing = threading.Event()
        self.stopped: dict[str, set[int]] = {}
        """Sides that are to end, of the generations that go on, by their keys."""
        self.known = {model.name: model for model in spec.preload}
        self._busy = 0
        self._last = time.monotonic()
        self._counting = threading.Lock()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """While a request is answered the server is not idle."""
        with self._counting:
            self._busy += 1
        try:
            yield
        finally:
            with self._counting:
                self._busy -= 1
                self._last = time.monotonic()

    def idle_for(self) -> float:
        """Seconds without a request."""
        with self._counting:
            return 0.0 if self._busy else time.monotonic() - self._last

    def answer(
        self, sides: list[Side], sampling: Sampling, gone: Callable[[], bool], key: str = ""
    ) -> Generator[Event]:
        """The events of one request, once it is its turn."""
        stopped: set[int] = set()
        if key:
            self.stopped[key] = stopped

        def cancelled() -> bool:
            return self.closing.is_set() or gone()

        try:
            with self.turns.turn(cancelled) as mine:
                if mine:
                    self.known.update({side.model.name: side.model for side in sides})
                    yield from answer(self.models, sides, sampling, cancelled, stopped.__contains__)
        finally:
            self.stopped.pop(key, None)

    def preload(self, wanted: list[ResolvedModel]) -> None:
        """Load models before they are asked for; one that fails says why when it is asked for."""
        with self.counted(), self.turns.turn(self.closing.is_set) as mine:
            for model in wanted if mine else ():
                try:
                    self.models.open(model)
                except StudioError as error:
                    log.warning("%s", error)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error; everything else goes into the log."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            log.exception("a request failed")


class Handler(BaseHTTPRequestHandler):
    server: ChatServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _READ_TIMEOUT

    def do_GET(self) -> None:
        if not self._allowed():
            return
        if self.path == "/health":
            self._reply(HTTPStatus.OK, {"state": "serving", "device": str(self.server.models.device)})
        elif self.path == "/v1/models":
            listed = [{"id": name, "object": "model"} for name in self.server.known]
            self._reply(HTTPStatus.OK, {"object": "list", "data": listed})
        else:
            self._reply(HTTPStatus.NOT_FOUND, {"error": f"there is no {self.path}"})

    def do_POST(self) -> None:
        body = self._body() if self._allowed() else None
        if body is None:
            return
        routes = {"/generate": self._generate, "/stop": self._stop, "/v1/chat/completions": self._complete}
        if self.path not in routes:
            self._reply(HTTPStatus.NOT_FOUND, {"error": f"there is no {self.path}"})
        elif self.server.turns.full():
            self._reply(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "too many questions are waiting"})
        else:
            with self.server.counted():
                try:
                    routes[self.path](body)
                except ValidationError as error:
                    first = complaint(error)
                    self._reply(HTTPStatus.BAD_REQUEST, {"error": f"{first.name}: {first.reason}"})

    def _generate(self, body: bytes) -> None:
        asked = Generate.model_validate_json(body)
        sides = [Side(one.model, [m.model_dump() for m in one.messages]) for one in asked.sides]
        self._begin_stream("application/x-ndjson")
        with closing(self.server.answer(sides, Sampling.of(asked), self._gone, asked.key)) as events:
            for event in events:
                self._chunk(json.dumps(event, ensure_ascii=False) + "\n")
        self._chunk("")

    def _stop(self, body: bytes) -> None:
        asked = Stop.model_validate_json(body)
        sides = self.server.stopped.get(asked.key)
        if sides is not None:
            sides.add(asked.side)
        self._reply(HTTPStatus.OK, {"stopped": sides is not None})

    def _complete(self, body: bytes) -> None:
        asked = Completion.model_validate_json(body)
        if asked.model not in self.server.known:
            self._reply(HTTPStatus.NOT_FOUND, {"error": f"no model named {asked.model!r} was opened here"})
            return
        sampling = Sampling(
            temperature=asked.temperature,
            top_p=asked.top_p,
            seed=secrets.randbelow(2**31) if asked.seed is None else asked.seed,
            max_tokens=asked.max_completion_tokens or asked.max_tokens or 256,
        )
        side = Side(self.server.known[asked.model], [m.model_dump() for m in asked.messages])
        head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": asked.model}
        send = self._stream_completion if asked.stream else self._whole_completion
        with closing(self.server.answer([side], sampling, self._gone)) as events:
            send(head, events)

    def _stream_completion(self, head: dict[str, Any], events: Iterator[Event]) -> None:
        self._begin_stream("text/event-stream")
        for event in events:
            if "error" in event:
                self._chunk(f"data: {json.dumps({'error': {'message': event['error']}})}\n\n")
            elif "text" in event or "done" in event:
                delta = {"content": event["text"]} if "text" in event else {}
                choice = {"index": 0, "delta": delta, "finish_reason": event.get("reason")}
                part = {**head, "object": "chat.completion.chunk", "choices": [choice]}
                self._chunk(f"data: {json.dumps(part, ensure_ascii=False)}\n\n")
        self._chunk("data: [DONE]\n\n")
        self._chunk("")

    def _whole_completion(self, head: dict[str, Any], events: Iterator[Event]) -> None:
        text, end = "", Event()
        for event in events:
            text += event.get("text", "")
            end = event
        if "error" in end:
            self._reply(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": {"message": end["error"]}})
            return
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": end.get("reason", "cancelled")}
        usage = {"completion_tokens": end.get("tokens", 0)}
        self._reply(HTTPStatus.OK, {**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    # --- HTTP ------------------------------------------------------------------------------

    def _allowed(self) -> bool:
        given = self.headers.get("Authorization", "").encode()
        if hmac.compare_digest(given, f"Bearer {self.server.token}".encode()):
            return True
        self._reply(HTTPStatus.UNAUTHORIZED, {"error": "the token of serve.json is required"})
        return False

    def _body(self) -> bytes | None:
        """The request's body; None if it was refused, which the client has been told then."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self._reply(HTTPStatus.LENGTH_REQUIRED, {"error": "Content-Length is required"})
        elif int(length) > _LARGEST_BODY:
            self._reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "the body is too large"})
        else:
            return self.rfile.read(int(length))
        return None

    def _reply(self, status: HTTPStatus, document: dict[str, Any]) -> None:
        body = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status >= HTTPStatus.BAD_REQUEST:  # A body that was not read may follow on this connection.
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _begin_stream(self, content_type: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, text: str) -> None:
        """One chunk; the empty one ends the answer."""
        block = text.encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))

    def _gone(self) -> bool:
        """Whether the client closed its connection."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


def main(run_dir: str | Path) -> int:
    """Serve until idle for ``spec.idle_seconds`` or told to end by SIGTERM; returns the exit code."""
    folder = Path(run_dir)
    spec = ServeSpec.model_validate(atomic.read_json(folder / run_folder.SPEC))
    events = run_folder.EventWriter(folder)
    events.write("phase", phase="loading")
    server = ChatServer(spec, Models(), secrets.token_urlsafe(32))
    signal.signal(signal.SIGTERM, lambda *_: server.closing.set())
    thread = threading.Thread(target=server.serve_forever, name="chat-server", daemon=True)
    thread.start()
    threading.Thread(target=server.preload, args=[spec.preload], name="preload", daemon=True).start()
    address = {"port": server.server_address[1], "token": server.token, "pid": os.getpid()}
    atomic.write_json(folder / run_folder.SERVE, address, mode=0o600)
    events.write("config", values={"device": str(server.models.device)})
    events.write("phase", phase="serving")
    while not server.closing.wait(min(1.0, spec.idle_seconds / 4)) and server.idle_for() < spec.idle_seconds:
        pass
    state = "stopped" if server.closing.is_set() else "idle"
    (folder / run_folder.SERVE).unlink(missing_ok=True)
    server.shutdown()
    while state == "idle" and not server.idle_for():
        time.sleep(0.05)  # A question that came at the last moment is answered still.
    server.closing.set()
    server.server_close()
    events.write("result", state=state)
    events.close()
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    sys.exit(main(sys.argv[1]))
