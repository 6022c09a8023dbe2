"""A service in OpenAI's form on loopback that answers, refuses, hangs or lies as a test wants."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any], int], tuple[int, Any, dict[str, str]]]
"""``(request, how often it was asked before) -> (status, body: document or bytes, headers)``"""


def reply(text: str, finish: str = "stop") -> dict[str, Any]:
    return {
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
    }


def echo(asked: dict[str, Any], _: int) -> tuple[int, Any, dict[str, str]]:
    return 200, reply(f"echo {asked['messages'][-1]['content']}"), {}


class FakeService:
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.delay = 0.0
        self.address = ""
        self._counting = threading.Lock()

    def handle(self, document: dict[str, Any], key: str | None) -> tuple[int, Any, dict[str, str]]:
        with self._counting:
            before = sum(earlier == document for earlier in self.asked)
            self.asked.append(document)
            self.keys.add(key)
        if self.delay:
            time.sleep(self.delay)
        return self.answer(document, before)


@contextmanager
def fake_service(answer: Answer = echo) -> Iterator[FakeService]:
    service = FakeService(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body, headers = service.handle(document, self.headers.get("Authorization"))
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            try:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                return  # Who asked went away, which some tests do.

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    service.address = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
