"""Somebody who asks for far too much: it takes from their own share, and the others keep working."""

from __future__ import annotations

import asyncio
import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from gradio import Blocks
from gradio.state_holder import StateHolder

from app import sessions, shares
from app.buckets import MOST_KNOWN, Bucket
from app.guard import Refused
from app.sessions import EVENTS, MOST, LightSession, Sessions
from app.shares import LINE, STAFFS, Line, owner_of
from studio_core.base.studio import open_studio
from studio_core.people import accounts, sign_in
from studio_core.people.accounts import LOCAL, Account, Role
from tests.browser.conftest import free_port, start_web, stop_engine
from tests.people import NAMES, PASSWORD, add_all, cheap_hashes

__all__ = ["cheap_hashes"]
BROAD = Bucket(1e9, 1e9)


@pytest.fixture
def opened() -> Sessions:
    """Sessions over Gradio's own queue and states."""

    async def making() -> Sessions:  # Gradio leaves a loop behind for each lock, unless one is running.
        known = Sessions()
        with Blocks(analytics_enabled=False) as demo:
            pass
        demo.queue()
        StateHolder().set_blocks(demo)
        known.learn(demo)
        return known

    return asyncio.run(making())


def join(known: Sessions, name: str, events: int) -> None:
    known.demo._queue.pending_event_ids_session[name] = {f"{name}-{number}" for number in range(events)}


def test_an_account_has_some_sessions_and_the_oldest_ends(opened: Sessions) -> None:
    async def opening() -> None:
        for number in range(5 * MOST):
            await opened.enter("lea", f"page-{number}")
            opened.demo.state_holder[f"page-{number}"]
            await opened.enter("tom", "toms")

    asyncio.run(opening())
    kept = [name for name, one in opened.known.items() if one.owner == "lea"]
    assert kept == [f"page-{number}" for number in range(4 * MOST, 5 * MOST)]
    assert set(opened.demo.state_holder.session_data) == set(kept)
    assert "toms" in opened.known


def test_a_page_that_is_open_outlives_those_that_are_not(opened: Sessions) -> None:
    async def opening() -> None:
        (await opened.enter("lea", "open")).streams += 1
        for number in range(3 * MOST):
            await opened.enter("lea", f"page-{number}")

    asyncio.run(opening())
    assert "open" in opened.known and len(opened.known) == MOST


def test_a_session_costs_next_to_nothing(opened: Sessions) -> None:
    """Components are described when they change, not all of them for each session."""
    session = LightSession(opened.demo)
    assert (
        session.config_values == {} and session.blocks_config.blocks is not opened.demo.default_config.blocks
    )


def test_events_wait_for_those_before_them(opened: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "PATIENCE", 0.2)

    async def joining() -> None:
        await opened.enter("lea", "a")
        await opened.enter("lea", "b")
        join(opened, "a", EVENTS // 2)
        await opened.room_for_event("lea")
        join(opened, "b", EVENTS - EVENTS // 2)
        await opened.room_for_event("tom")
        with pytest.raises(Refused, match="often"):
            await opened.room_for_event("lea")
        waiting = asyncio.create_task(opened.room_for_event("lea"))
        await asyncio.sleep(0)
        opened.demo._queue.pending_event_ids_session["a"].pop()
        await waiting

    asyncio.run(joining())


def test_events_of_pages_that_were_closed_give_way(opened: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "PATIENCE", 0.2)
    monkeypatch.setattr(sessions, "UNHEARD", -1.0)

    async def joining() -> None:
        await opened.enter("lea", "closed")
        join(opened, "closed", EVENTS)
        await opened.room_for_event("lea")
        assert "closed" not in opened.demo._queue.pending_event_ids_session
        (await opened.enter("lea", "open")).streams = 1
        join(opened, "open", EVENTS)
        with pytest.raises(Refused):
            await opened.room_for_event("lea")

    asyncio.run(joining())


def test_a_line_lets_some_in_at_once_and_refuses_only_a_flood() -> None:
    async def flooding() -> tuple[int, int, int]:
        line, inside, most, refused = Line(STAFFS.at_once), 0, 0, 0
        leave = asyncio.Event()

        async def one() -> None:
            nonlocal inside, most, refused
            try:
                async with line.turn(BROAD, "lea"):
                    inside += 1
                    most = max(most, inside)
                    await leave.wait()
                    inside -= 1
            except Refused:
                refused += 1

        tasks = [asyncio.create_task(one()) for _ in range(3 * LINE)]
        await asyncio.sleep(0.05)
        other = Line(STAFFS.at_once)
        async with asyncio.timeout(1), other.turn(BROAD, "tom"):  # Somebody else does not wait.
            pass
        leave.set()
        await asyncio.gather(*tasks)
        return most, refused, line.waiting

    assert asyncio.run(flooding()) == (STAFFS.at_once, 3 * LINE - STAFFS.at_once - LINE, 0)


def test_who_leaves_the_line_gives_up_the_place() -> None:
    async def leaving() -> None:
        line = Line(STAFFS.at_once)
        async with line.turn(BROAD, "a"):
            tasks = [
                asyncio.create_task(line.turn(BROAD, "a").__aenter__()) for _ in range(STAFFS.at_once + 20)
            ]
            await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert line.waiting == 0

    asyncio.run(leaving())


def test_a_bucket_fills_again_and_forgets_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("app.buckets.time.monotonic", lambda: now[0])
    bucket = Bucket(burst=3, per_second=2)
    assert [bucket.take("a") for _ in range(4)] == [True, True, True, False]
    assert bucket.wait("a") == 0.5 and bucket.wait("b") == 0
    now[0] = 0.5
    assert bucket.take("a") and not bucket.take("a")
    for number in range(MOST_KNOWN):
        bucket.take(f"stranger {number}")
    now[0] = 100
    bucket.take("c")
    assert len(bucket._left) < 10


@pytest.mark.parametrize(
    ("account", "address", "owner"),
    [
        (Account(7, "lea", Role.ANNOTATOR), "10.0.0.1", "account 7"),
        (LOCAL, "127.0.0.1", "this machine"),
        (LOCAL, "127.9.9.9", "this machine"),
        (LOCAL, "::1", "this machine"),
        (LOCAL, "10.0.0.1", "10.0.0.1"),
        (LOCAL, "unknown", "unknown"),
    ],
)
def test_a_share_is_an_accounts_or_an_addresss(account: Account, address: str, owner: str) -> None:
    assert owner_of({"tunesmith.account": account, "client": (address, 5)}) == owner


@dataclass
class Served:
    address: str
    cookies: dict[str, dict[str, str]]
    memory: psutil.Process
    answers: dict[str, int] = field(default_factory=dict)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, cheap_hashes: None) -> Iterator[Served]:
    """A real studio with one person of each role."""
    home, port = tmp_path_factory.mktemp("flood") / "home", free_port()
    studio = open_studio(home=home, port=port)
    add_all(studio)
    cookies = {
        role: {f"tunesmith-{port}": sign_in.sign_in(studio, name, PASSWORD, "-")[1]}
        for role, name in NAMES.items()
    }
    assert accounts.any_accounts(studio)
    studio.close()
    web = start_web(home, port)
    yield Served(f"http://127.0.0.1:{port}", cookies, psutil.Process(web.pid))
    web.terminate()
    web.wait(240)
    stop_engine(home)


class Trainer:
    """A trainer who opens the page of runs, with what its script asks for, again and again."""

    def __init__(self, served: Served) -> None:
        self.client = httpx.Client(
            base_url=served.address, cookies=served.cookies[Role.TRAINER], trust_env=False, timeout=240
        )
        self.handlers = _handlers(self.client, "/runs", {"load"})
        self.opened = 0

    def times(self, count: int) -> list[float]:
        """Seconds until the page and all that it shows first are there, so many times."""
        times = []
        for _ in range(count):
            self.opened += 1
            begin = time.perf_counter()
            assert self.client.get("/runs").status_code == 200
            for handler in self.handlers:
                answer = _run(self.client, handler, f"trainer-{self.opened}", "run/predict")
                assert answer.status_code == 200, answer.text
            times.append(time.perf_counter() - begin)
        return times


def _handlers(client: httpx.Client, path: str, events: set[str]) -> list[dict[str, Any]]:
    document = client.get(path).text
    config, _ = json.JSONDecoder().raw_decode(document.split("window.gradio_config = ")[1])
    return [
        one
        for one in config["dependencies"]
        if one["backend_fn"] and {event for _, event in one["targets"]} & events
    ]


def _run(
    client: httpx.Client, handler: dict[str, Any], session: str, path: str, **more: Any
) -> httpx.Response:
    body = {
        "data": [None] * len(handler["inputs"]),
        "fn_index": handler["id"],
        "session_hash": session,
        **more,
    }
    return client.post(f"/gradio_api/{path}", json=body)


def flood(served: Served, until: threading.Event, kind: str, number: int) -> None:
    """An annotator's program: as many requests as it can send, each in a new session."""
    with httpx.Client(
        base_url=served.address, cookies=served.cookies[Role.ANNOTATOR], trust_env=False, timeout=240
    ) as client:
        own = _handlers(client, "/label", {"load"})
        turn = 0
        while not until.is_set():
            turn += 1
            session = f"flood-{number}-{turn}"
            with suppress(httpx.TransportError):
                if kind == "sessions":
                    status = _run(client, own[turn % len(own)], session, "run/predict").status_code
                elif kind == "documents":
                    status = client.get("/label").status_code
                elif kind == "joins":
                    status = _run(client, own[turn % len(own)], session, "queue/join").status_code
                else:
                    long = {"event_data": "x" * 7_900_000}
                    status = _run(client, own[0], session, "queue/join", **long).status_code
                served.answers[f"{kind} {status}"] = served.answers.get(f"{kind} {status}", 0) + 1


def test_a_trainers_page_stays_quick_while_an_annotator_floods(
    served: Served, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Sessions, queue joins, bodies and pages without end, from twelve connections of one account."""
    trainer = Trainer(served)
    request.addfinalizer(trainer.client.close)
    trainer.times(3)
    quiet = trainer.times(10)
    before = served.memory.memory_info().rss
    until = threading.Event()
    threads = [
        threading.Thread(target=flood, args=(served, until, kind, number))
        for number, kind in enumerate(["sessions", "joins", "bodies", "documents"] * 3)
    ]
    for thread in threads:
        thread.start()
    try:
        flooded = trainer.times(30)
    finally:
        until.set()
        for thread in threads:
            thread.join()
    slowest = statistics.quantiles(flooded, n=20)[-1]
    grown = (served.memory.memory_info().rss - before) / 1e6
    print(f"\nquiet {statistics.median(quiet):.3f} s, flooded p50 {statistics.median(flooded):.3f} s,"
          f" p95 {slowest:.3f} s; memory +{grown:.0f} MB; {served.answers}")  # fmt: skip
    # One second where the page by itself takes a quarter of one; on a slower machine, in proportion.
    assert slowest < max(1.0, 4 * statistics.median(quiet))
    assert grown < 200
    assert served.answers.get("bodies 413", 0) > 10
    assert not [kind for kind in served.answers if kind.endswith(" 500")]


def test_many_pages_of_one_person_are_never_refused(served: Served) -> None:
    """Eight tabs that open at once, each with all that the richest page asks for, and then live for a while."""
    refused: list[int] = []

    def tab(number: int) -> None:
        with httpx.Client(
            base_url=served.address, cookies=served.cookies[Role.ADMINISTRATOR], trust_env=False, timeout=240
        ) as client:
            for path in ("/label", "/runs", "/dataset?id=1"):
                for handler in _handlers(client, path, {"load", "tick"}):
                    kind = "queue/join" if handler["queue"] else "run/predict"
                    status = _run(client, handler, f"tab-{number}-{len(path)}", kind).status_code
                    if status not in (200, 500):  # 500: this call leaves out what the page would have sent.
                        refused.append(status)

    tabs = [threading.Thread(target=tab, args=(number,)) for number in range(8)]
    for one in tabs:
        one.start()
    for one in tabs:
        one.join()
    assert refused == []


def test_streams_are_counted(served: Served) -> None:
    """Connections that only listen: some for each account, and none in a session of somebody else."""
    with httpx.Client(
        base_url=served.address, cookies=served.cookies[Role.ANNOTATOR], trust_env=False, timeout=240
    ) as client:
        held, refused = [], 0
        for number in range(shares.STREAMS + 5):
            request = client.build_request("GET", f"/gradio_api/heartbeat/stream-{number % 10}")
            answer = client.send(request, stream=True)
            if answer.status_code == 429:
                refused += 1
            held.append(answer)
        for answer in held:
            answer.close()
    assert refused == 5
