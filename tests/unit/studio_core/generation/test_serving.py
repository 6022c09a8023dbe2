"""The chat worker from outside. Its process is played by an HTTP server and a row in the queue."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from studio_core.base import atomic
from studio_core.base.errors import StudioError
from studio_core.base.states import Cause, State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Device, Job
from studio_core.generation import serving
from studio_core.generation.sampling import Sampling
from studio_core.runs import queue, run_folder
from studio_core.runs.spec import ResolvedModel

QUESTION = serving.Question(ResolvedModel(name="m", path="/m"), [{"role": "user", "content": "Hi"}])


class Fake(BaseHTTPRequestHandler):
    status = 200
    lines: list[str] = []  # noqa: RUF012
    bodies: list[dict[str, Any]] = []  # noqa: RUF012
    tokens: list[str | None] = []  # noqa: RUF012

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.bodies.append(json.loads(self.rfile.read(length)))
        self.tokens.append(self.headers["Authorization"])
        self.send_response(self.status)
        self.end_headers()
        for line in self.lines:
            self.wfile.write(line.encode() + b"\n")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[type[Fake], int]]:
    for name, value in (("status", 200), ("lines", []), ("bodies", []), ("tokens", [])):
        monkeypatch.setattr(Fake, name, value)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fake)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Fake, server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio_core.runs.engine_process.ensure_engine", lambda studio: None)


def play_engine(studio: Studio, job: Job, port: int) -> Job:
    """Do what the engine and the worker would: claim the job, run it, write the address."""
    queue.set_devices(studio, [Device(id="serve:0", kind="serve", label="Chat", memory=0)])
    claimed = queue.claim(studio, job.id, ["serve:0"])
    assert claimed is not None and queue.mark_running(studio, claimed)
    run_dir = Path(claimed.run_dir or "")
    run_dir.mkdir(parents=True)
    atomic.write_json(run_dir / run_folder.SERVE, {"port": port, "token": "secret"})
    return claimed


def ask(studio: Studio) -> list[dict[str, Any]]:
    sampling = Sampling(temperature=0.5, top_p=1.0, seed=1, max_tokens=9)
    return list(serving.generate(studio, [QUESTION], sampling))


def test_one_worker_is_asked_for(studio: Studio) -> None:
    job = serving.ensure_server(studio)
    assert (job.kind, job.state, job.spec["idle_seconds"]) == ("serve", "queued", 900.0)
    assert serving.ensure_server(studio).id == job.id
    queue.request_stop(studio, job.id, Stop.CANCEL)
    again = serving.ensure_server(studio)
    assert again.id != job.id


def test_two_that_find_none_at_once_start_one(studio: Studio) -> None:
    found: list[int] = []
    both = threading.Barrier(2)

    def ensure() -> None:
        both.wait()
        found.append(serving.ensure_server(studio).id)

    threads = [threading.Thread(target=ensure) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1


def test_a_worker_that_is_stopping_is_not_asked(studio: Studio, fake: tuple[type[Fake], int]) -> None:
    job = play_engine(studio, serving.ensure_server(studio), fake[1])
    queue.request_stop(studio, job.id, Stop.CANCEL)
    assert serving.ensure_server(studio).id != job.id


def test_events_come_through(studio: Studio, fake: tuple[type[Fake], int]) -> None:
    server, port = fake
    server.lines = ['{"side": 0, "text": "Grüße 你"}', '{"side": 0, "done": true}']
    play_engine(studio, serving.ensure_server(studio), port)
    assert ask(studio) == [{"side": 0, "text": "Grüße 你"}, {"side": 0, "done": True}]
    assert server.tokens == ["Bearer secret"]
    assert server.bodies[0]["sides"][0]["messages"] == QUESTION.messages
    assert server.bodies[0]["seed"] == 1 and server.bodies[0]["sides"][0]["model"]["path"] == "/m"


def test_a_proxy_of_the_environment_is_not_used(
    studio: Studio, fake: tuple[type[Fake], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    fake[0].lines = ['{"side": 0, "done": true}']
    play_engine(studio, serving.ensure_server(studio), fake[1])
    assert ask(studio)


def test_a_worker_that_went_away_idle_is_replaced_once(
    studio: Studio, fake: tuple[type[Fake], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = play_engine(studio, serving.ensure_server(studio), port=9)
    fake[0].lines = ['{"side": 0, "done": true}']

    def wait_for_end(studio: Studio, job: Job) -> None:
        assert job.id == gone.id
        assert queue.finish(studio, gone, State.SUCCEEDED, Cause.IDLE)
        play_engine(studio, serving.ensure_server(studio), fake[1])

    monkeypatch.setattr(serving, "_wait_for_end", wait_for_end)
    assert ask(studio) == [{"side": 0, "done": True}]


def test_a_worker_that_cannot_start_is_named_with_its_reason(studio: Studio) -> None:
    job = serving.ensure_server(studio)
    queue.request_stop(studio, job.id, Stop.CANCEL)
    with pytest.raises(serving.ServerGone, match=rf"job {job.id}\) ended.*worker\.log"):
        serving.wait_ready(studio, job)


def test_waiting_has_an_end_and_a_reason(studio: Studio) -> None:
    job = serving.ensure_server(studio)
    with pytest.raises(StudioError, match=rf"job {job.id}\) did not start within 0 s: ."):
        serving.wait_ready(studio, job, timeout=0.05)
    with pytest.raises(StudioError, match="did not start"):
        serving.wait_ready(studio, job, gave_up=lambda: True)


def test_a_refusal_is_quoted(studio: Studio, fake: tuple[type[Fake], int]) -> None:
    fake[0].status = 503
    fake[0].lines = ['{"error": "too many questions are waiting"}']
    play_engine(studio, serving.ensure_server(studio), fake[1])
    with pytest.raises(StudioError, match=r"rejected the request \(503\): .*too many questions"):
        ask(studio)


def test_an_answer_cut_off_is_not_asked_again(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    play_engine(studio, serving.ensure_server(studio), port=9)
    asked = 0

    def stream(*_: Any) -> Iterator[dict[str, Any]]:
        nonlocal asked
        asked += 1
        yield {"side": 0, "text": "half"}
        raise httpx.RemoteProtocolError("peer closed connection")

    monkeypatch.setattr(serving, "_stream", stream)
    with pytest.raises(StudioError, match="stopped while answering: peer closed"):
        ask(studio)
    assert asked == 1
