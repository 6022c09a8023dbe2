"""The chat worker over HTTP."""

from __future__ import annotations

import http.client
import json
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.generation import server as server_module
from jobs.generation import sides as sides_module
from jobs.generation import turns as turns_module
from jobs.generation.answering import Text
from jobs.generation.decoding import advance
from jobs.generation.engines.loop import scores
from jobs.generation.lane import Lane, Row
from jobs.generation.models import Base, Models
from jobs.generation.server import ChatServer
from jobs.generation.sides import Event
from jobs.generation.turns import Desk, Turns
from studio_core.base import atomic
from studio_core.generation.sampling import greedy
from studio_core.runs import run_folder
from studio_core.runs.spec import ResolvedModel, ServeSpec
from tests.conftest import wait_until

QUESTION = [{"role": "user", "content": "Where is the river?"}]


@pytest.fixture(scope="module")
def server(folders: dict[str, Path]) -> Iterator[ChatServer]:
    served = ChatServer(Desk(Models("cpu")), "the-token")
    served.start()
    yield served
    served.desk.closing.set()
    served.close()


@pytest.fixture
def client(server: ChatServer) -> Iterator[httpx.Client]:
    base = f"http://127.0.0.1:{server.port}"
    with httpx.Client(base_url=base, headers={"Authorization": "Bearer the-token"}, timeout=30) as opened:
        yield opened


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Generations wait behind their first event until this is set or nobody wants them: none ends by itself before."""
    released = threading.Event()

    def answer(
        models: Models, sides: Any, sampling: Any, cancelled: Callable[[], bool], stopped: Any
    ) -> Iterator[Event]:
        events = sides_module.answer(models, sides, sampling, cancelled, stopped)
        yield next(events)
        wait_until(lambda: released.is_set() or cancelled(), what="the generation is released")
        yield from events

    monkeypatch.setattr(turns_module, "answer", answer)
    return released


def side(folders: dict[str, Path], adapter: str | None = None) -> dict[str, Any]:
    model = ResolvedModel(
        name=adapter or "base", path=str(folders["base"]), adapter=adapter and str(folders[adapter])
    )
    return {"model": model.model_dump(), "messages": QUESTION}


def ask(client: httpx.Client, **body: Any) -> list[dict[str, Any]]:
    reply = client.post("/generate", json=body)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in reply.text.splitlines()]


def test_both_sides_stream_and_end(client: httpx.Client, folders: dict[str, Path]) -> None:
    asked = {"sides": [side(folders), side(folders, "lora")], "temperature": 0, "max_tokens": 12}
    events = ask(client, **asked)
    ends = [event for event in events if event.get("done")]
    assert {(end["side"], end["tokens"], end["reason"]) for end in ends} == {
        (0, 12, "length"),
        (1, 12, "length"),
    }
    assert all(end["seconds"] > 0 for end in ends)
    assert events[-1].get("done") and sum("text" in event for event in events[:-1])
    again = [e for e in ask(client, **asked) if "text" in e]
    assert again == [e for e in events if "text" in e]


def test_a_failing_side_is_told_and_the_other_answers(client: httpx.Client, folders: dict[str, Path]) -> None:
    gone = {"model": {"name": "gone", "path": "/nowhere/at/all"}, "messages": QUESTION}
    events = ask(client, sides=[gone, side(folders)], max_tokens=3)
    assert events[0]["side"] == 0 and events[0]["key"] == "chat.model_gone"
    assert events[0]["values"] == {"model": "gone", "path": "/nowhere/at/all"}
    assert events[-1]["side"] == 1 and events[-1]["done"]


@pytest.mark.parametrize("given", [None, "Bearer wrong", "the-token"])
def test_nothing_without_the_token(server: ChatServer, folders: dict[str, Path], given: str | None) -> None:
    base = f"http://127.0.0.1:{server.port}"
    headers = {"Authorization": given} if given else {}
    assert httpx.get(f"{base}/health", headers=headers).status_code == 401
    reply = httpx.post(f"{base}/generate", json={"sides": [side(folders)]}, headers=headers)
    assert reply.status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"sides": []},
        {"temperature": -1},
        {"top_p": 0},
        {"max_tokens": 10**9},
        {"seed": "x"},
        {"sides": "no"},
    ],
)
def test_bad_requests_say_what_is_wrong(
    client: httpx.Client, folders: dict[str, Path], change: dict[str, Any]
) -> None:
    reply = client.post("/generate", json={"sides": [side(folders)], **change})
    assert reply.status_code == 400
    assert next(iter(change)) in reply.json()["error"]


def test_other_addresses_and_bodies_are_refused(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"state": "serving", "device": "cpu"}
    assert client.get("/other").status_code == 404
    assert client.post("/other", json={}).status_code == 404
    assert client.post("/generate", content=b"not json").status_code == 400
    assert client.post("/generate", content=iter([b"{}"])).status_code == 411


def test_a_body_that_is_too_large_is_refused_before_it_is_read(server: ChatServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {"Content-Length": str(9 << 20), "Authorization": "Bearer the-token"}
    connection.request("POST", "/generate", headers=headers)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_client_that_goes_away_stops_the_generation(
    server: ChatServer, client: httpx.Client, folders: dict[str, Path], held: threading.Event
) -> None:
    body = {"sides": [side(folders)], "temperature": 1.5, "top_p": 1.0, "max_tokens": 200}
    with client.stream("POST", "/generate", json=body) as reply:
        # Kept: an iterator that nobody holds any more closes the connection, and the client would be gone already.
        lines = reply.iter_lines()
        first = next(lines)
        assert reply.status_code == 200, first
        assert server.desk.idle_for() == 0, first
    wait_until(lambda: server.desk.idle_for() > 0, what="the generation ends with its client")
    held.set()
    assert ask(client, sides=[side(folders)], max_tokens=2)[-1]["done"]


def test_one_side_is_stopped_and_the_others_go_on(
    client: httpx.Client, folders: dict[str, Path], held: threading.Event
) -> None:
    body = {"sides": [side(folders)] * 2, "temperature": 1.5, "top_p": 1.0, "max_tokens": 200, "key": "k"}
    events: list[dict[str, Any]] = []
    with client.stream("POST", "/generate", json=body) as reply:
        lines = reply.iter_lines()
        events.append(json.loads(next(lines)))
        assert client.post("/stop", json={"key": "k", "side": 0}).json() == {"stopped": True}
        held.set()
        events += [json.loads(line) for line in lines]
    ends = {event["side"]: event for event in events if event.get("done")}
    assert ends[0]["reason"] == "cancelled" and ends[0]["tokens"] < ends[1]["tokens"]
    assert ends[1]["reason"] in ("stop", "length")
    assert client.post("/stop", json={"key": "k", "side": 0}).json() == {"stopped": False}
    assert client.post("/stop", json={"key": "", "side": 0}).status_code == 400


def test_questions_at_the_same_time_wait_their_turn(client: httpx.Client, folders: dict[str, Path]) -> None:
    found: list[list[dict[str, Any]]] = []
    body = {"sides": [side(folders)], "temperature": 0, "max_tokens": 10}
    threads = [threading.Thread(target=lambda: found.append(ask(client, **body))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers = ["".join(e.get("text", "") for e in events) for events in found]
    assert len(answers) == 5 and len(set(answers)) == 1


def test_turns_are_in_the_order_of_asking_and_bounded() -> None:
    turns = Turns(most=2)
    order: list[int] = []

    def wait(number: int) -> None:
        with turns.turn(lambda: False) as mine:
            assert mine
            order.append(number)

    with turns.turn(lambda: False):
        threads = []
        for number in range(3):
            assert turns.full() == (number > 1)
            threads.append(threading.Thread(target=wait, args=[number]))
            threads[-1].start()
            wait_until(lambda: len(turns._queue) == len(threads) + 1)
        with turns.turn(lambda: True) as mine:
            assert not mine, "whoever gave up gets no turn"
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2]


def test_openai_form(client: httpx.Client, folders: dict[str, Path]) -> None:
    [text] = [
        "".join(e.get("text", "") for e in ask(client, sides=[side(folders)], temperature=0, max_tokens=8))
    ]
    body = {"model": "base", "messages": QUESTION, "temperature": 0, "max_tokens": 8}
    reply = client.post("/v1/chat/completions", json=body).json()
    assert reply["choices"][0]["message"] == {"role": "assistant", "content": text}
    assert reply["choices"][0]["finish_reason"] == "length" and reply["usage"]["completion_tokens"] == 8
    lines = client.post("/v1/chat/completions", json={**body, "stream": True}).text.split("\n\n")
    parts = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    assert "".join(part["choices"][0]["delta"].get("content", "") for part in parts) == text
    assert lines[-2] == "data: [DONE]"
    assert "base" in [model["id"] for model in client.get("/v1/models").json()["data"]]
    assert client.post("/v1/chat/completions", json={**body, "model": "?"}).status_code == 404


def complete(client: httpx.Client, **more: Any) -> Any:
    body = {
        "model": "base",
        "messages": QUESTION,
        "temperature": 1.0,
        "top_p": 1.0,
        "seed": 5,
        "max_tokens": 6,
    }
    reply = client.post("/v1/chat/completions", json={**body, **more})
    assert reply.status_code == 200, reply.text
    if not more.get("stream"):
        return reply.json()
    lines = [line.removeprefix("data: ") for line in reply.text.split("\n\n")]
    return [json.loads(line)["choices"][0] for line in lines if line.startswith("{")]


def test_several_answers_come_from_one_reading_of_the_question(
    client: httpx.Client, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(client, sides=[side(folders)], max_tokens=1)
    read: list[int] = []
    original = Lane._read_prompts

    def counted(lane: Lane) -> Any:
        logits = original(lane)
        read.append(len(lane.rows))
        assert lane._mask.shape[0] == len(lane.rows)
        return logits

    passes: list[int] = []
    forward = Base.forward

    def noted(base: Base, adapters: Any, **given: Any) -> Any:
        passes.append(len(given["input_ids"]))
        return forward(base, adapters, **given)

    monkeypatch.setattr(Lane, "_read_prompts", counted)
    monkeypatch.setattr(Base, "forward", noted)
    reply = complete(client, n=3)
    assert read == [3] and passes[0] == 1, "three answers, one row of prompts"
    choices = reply["choices"]
    texts = [choice["message"]["content"] for choice in choices]
    assert [choice["index"] for choice in choices] == [0, 1, 2] and len(set(texts)) > 1
    assert reply["usage"]["completion_tokens"] == 18
    assert {choice["finish_reason"] for choice in choices} == {"length"}
    # Each is what its own seed gives, also alone.
    alone = [complete(client, seed=5 + which)["choices"][0]["message"]["content"] for which in range(3)]
    assert texts == alone
    parts = complete(client, n=3, stream=True)
    streamed = ["".join(p["delta"].get("content", "") for p in parts if p["index"] == i) for i in range(3)]
    assert streamed == texts
    events = ask(client, sides=[side(folders)] * 2, n=2, max_tokens=2)
    ends = sorted((event["side"], event["which"]) for event in events if event.get("done"))
    assert ends == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_an_answer_ends_at_a_text(client: httpx.Client, folders: dict[str, Path]) -> None:
    ask(client, sides=[side(folders)], max_tokens=1)
    whole = complete(client)["choices"][0]["message"]["content"]
    end = whole[2:4]
    for stop in (end, ["never there", end]):
        [choice] = complete(client, stop=stop)["choices"]
        assert choice["message"]["content"] == whole[: whole.index(end)]
        assert choice["finish_reason"] == "stop"
    body = {"model": "base", "messages": QUESTION}
    for wrong in ({"stop": [""]}, {"stop": ["a"] * 5}, {"n": 0}, {"n": 65}, {"top_logprobs": 3}):
        reply = client.post("/v1/chat/completions", json={**body, **wrong})
        assert reply.status_code == 400 and next(iter(wrong)) in reply.json()["error"]["message"]
    assert "set logprobs to true" in reply.json()["error"]["message"]


def test_the_logprob_of_each_token_is_told_if_it_is_wanted(
    client: httpx.Client, server: ChatServer, folders: dict[str, Path]
) -> None:
    ask(client, sides=[side(folders)], max_tokens=1)
    assert complete(client)["choices"][0]["logprobs"] is None
    reply = complete(client, logprobs=True, top_logprobs=0, temperature=0)
    told = reply["choices"][0]["logprobs"]["content"]
    assert len(told) == reply["usage"]["completion_tokens"] == 6
    opened = server.desk.models.open(server.desk.known["base"])
    prompt = opened.prompt(QUESTION)
    row = Row(0, opened, prompt, greedy(6))
    assert sum(1 for _ in advance([row])) == 6
    assert [opened.tokenizer.decode([token]) for token in row.tokens] == [one["token"] for one in told]
    tokens = row.tokens
    [expected] = scores(opened, [Text("", prompt + tokens, len(tokens))])
    assert [one["logprob"] for one in told] == pytest.approx(expected, abs=1e-4)
    parts = complete(client, logprobs=True, temperature=0, stream=True)
    streamed = [one for part in parts for one in (part["logprobs"] or {"content": []})["content"]]
    assert streamed == told


def test_a_body_that_does_not_come_is_not_waited_for(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_BODY_SECONDS", 0.3)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {"Content-Length": "100", "Authorization": "Bearer the-token"}
    connection.request("POST", "/stop", headers=headers)
    connection.send(b'{"key": ')
    reply = connection.getresponse()
    assert reply.status == 408 and b"within 0.3 seconds" in reply.read()
    assert reply.headers["connection"] == "close"
    connection.close()


def start(run_dir: Path, spec: ServeSpec) -> subprocess.Popen[bytes]:
    run_dir.mkdir()
    atomic.write_json(run_dir / run_folder.SPEC, spec.model_dump())
    return subprocess.Popen([sys.executable, "-m", "jobs.generation.server", str(run_dir)])


def events_of(run_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run_dir / run_folder.EVENTS).read_text().splitlines()]


def test_the_worker_serves_ends_when_idle_and_leaves_no_address(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    run_dir = tmp_path / "run"
    base = ResolvedModel(name="base", path=str(folders["base"]))
    process = start(run_dir, ServeSpec(idle_seconds=1.5, preload=[base]))
    try:
        address = wait_until(lambda: atomic.read_json(run_dir / run_folder.SERVE), what="serve.json")
        assert stat.S_IMODE((run_dir / run_folder.SERVE).stat().st_mode) == 0o600
        url = f"http://127.0.0.1:{address['port']}/generate"
        headers = {"Authorization": f"Bearer {address['token']}"}
        body = {"sides": [side(folders)], "max_tokens": 4}
        assert httpx.post(url, json=body, headers=headers, timeout=30).text.count("done") == 1
        asked = time.monotonic()
        assert process.wait(30) == 0
        assert time.monotonic() - asked > 1.0
    finally:
        process.kill()
        process.wait()
    phases = [event["phase"] for event in events_of(run_dir) if event["type"] == "phase"]
    assert phases == ["loading", "serving"]
    assert events_of(run_dir)[-1] | {"type": "result", "state": "idle"} == events_of(run_dir)[-1]
    assert not (run_dir / run_folder.SERVE).exists()


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    process = start(run_dir, ServeSpec())
    try:
        wait_until(lambda: (run_dir / run_folder.SERVE).exists(), what="serve.json")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
    assert events_of(run_dir)[-1]["state"] == "stopped"
