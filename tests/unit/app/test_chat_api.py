"""What is done with rounds of a conversation, as anyone on the network could ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from app.access import enter
from app.pages import chat as chat_page
from studio_core.base.studio import Studio
from studio_core.base.tables import Chat
from studio_core.chat import chat_votes, chats
from studio_core.chat.chats import ChatSettings
from studio_core.models import registry
from studio_core.people.accounts import Account, Role
from tests.unit.studio_core.chat.talking import PLAIN, answered

BLIND = ChatSettings(blind=True)
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def chat(studio: Studio) -> Chat:
    registry.ensure_demo_models(studio)
    return chats.start(studio, ["tiny-base", "tiny-chat"], PLAIN)


@pytest.fixture
def client(studio: Studio) -> Iterator[TestClient]:
    api = FastAPI()

    @api.middleware("http")
    async def sign_in(request: Request, call_next: Any) -> Any:
        enter(request.scope, Account(1, "anna", Role.TRAINER), None)  # type: ignore[arg-type]
        return await call_next(request)

    api.include_router(chat_page.routes(studio))
    with TestClient(api) as opened:
        yield opened


def at(chat: Chat, number: int, action: str = "") -> str:
    return f"/api/chat/{chat.id}/rounds/{number}{'/' if action else ''}{action}"


def test_places_are_those_on_the_screen(client: TestClient, studio: Studio, chat: Chat) -> None:
    row = answered(studio, chat, "Who?", "zero", "one", settings=BLIND)
    said = client.post(at(chat, 1, "vote"), json={"verdict": "a", "left": 0, "right": 1}).json()
    vote = chat_votes.votes(studio, [row])[row.id]
    assert [vote.left, vote.right] == row.settings["order"] and vote.record["annotator"] == "anna"
    assert 'data-mark="better"' in said["rounds"]["1"] and "Saved" in said["message"]


def test_who_computed_an_answer_is_said(client: TestClient, studio: Studio, chat: Chat) -> None:
    row = answered(studio, chat, "Who?", "zero", "one")
    twin: Any = {"engine": "llama.cpp (xllamacpp 1)", "tokens": 3, "seconds": 0.1}
    loop: Any = {"no_engine": {"key": "chat.twin_slow", "values": {"model": "<b>", "gain": "1.1"}}}
    chats.save_answers(studio, row.id, [{**row.answers[0], **twin}, {**row.answers[1], **loop}])  # type: ignore[list-item]
    drawn = client.get(at(chat, 1)).text
    assert "xllamacpp 1" in drawn and "PyTorch" in drawn and "only 1.1 times as fast" in drawn
    assert "<b>" not in drawn


def test_nothing_that_is_answered_tells_hidden_names(client: TestClient, studio: Studio, chat: Chat) -> None:
    first = answered(studio, chat, "Who?", "zero", "one", settings=BLIND)
    row = answered(studio, chat, "And?", "two", "three", settings=BLIND)
    broken: Any = {"state": "error", "answer": "", "error": "tiny-base broke", "key": "chat.not_numbers",
                   "values": {"model": "tiny-base"}}  # fmt: skip
    loop: Any = {"no_engine": {"key": "chat.twin_slow", "values": {"model": "tiny-chat", "gain": "1.1"}}}
    chats.save_answers(studio, row.id, [{**row.answers[0], **broken}, {**row.answers[1], **loop}])  # type: ignore[list-item]
    paths = [
        at(chat, 1),
        at(chat, 2),
        at(chat, 1, "difference"),
        f"/api/chat/{chat.id}.md",
        f"/api/chat/{chat.id}.jsonl",
    ]
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200 and "tiny" not in answer.text and "tokens/s" not in answer.text, path
    refused = client.post(at(chat, 2, "vote"), json={"verdict": "a", "left": 0, "right": 1})
    assert refused.status_code == 409 and "tiny" not in refused.text
    place = row.settings["order"].index(1)
    corrected = client.post(at(chat, 2, "correct"), json={"place": place, "text": "better"})
    assert corrected.status_code == 200 and "tiny" not in corrected.text
    sent = client.post(at(chat, 1, "send"), json={"left": 0, "right": 1})
    assert sent.status_code == 200 and "tiny" not in sent.text
    said = client.post(at(chat, 1, "vote"), json={"verdict": "tie", "left": 0, "right": 1}).json()
    assert set(said["rounds"]) == {"1", "2"}, "both are known now"
    assert "tiny-base" in said["rounds"]["2"] and not chats.hidden(studio, [first, row])


def test_what_is_written_stays_text(client: TestClient, studio: Studio, chat: Chat) -> None:
    answered(studio, chat, HOSTILE, HOSTILE, f"{HOSTILE} x")
    for said in (
        client.get(at(chat, 1)).json()["rounds"]["1"],
        client.post(at(chat, 1, "correct"), json={"place": 0, "text": f"{HOSTILE} y"}).json()["message"],
    ):
        assert HOSTILE not in said
    assert client.post(
        at(chat, 1, "correct"), json={"place": 0, "text": "z", "project": HOSTILE}
    ).status_code == 409  # fmt: skip


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("vote", {"verdict": "a", "left": 0, "right": 4}),
        ("vote", {"verdict": "a", "left": -1, "right": 0}),
        ("vote", {"verdict": "a" * 21, "left": 0, "right": 1}),
        ("vote", {"verdict": "a", "left": 0}),
        ("vote", {"verdict": "a", "left": 0, "right": 1, "record": {}}),
        ("undo", []),
        ("again", {"place": 9}),
        ("stop", {"place": "x"}),
        ("correct", {"place": 0, "text": "x" * 100_001}),
        ("send", {"left": 0, "right": 1, "project": "x" * 81}),
        ("prompt", {}),
    ],
)
def test_what_makes_no_sense_is_refused(
    client: TestClient, studio: Studio, chat: Chat, action: str, body: Any
) -> None:
    row = answered(studio, chat, "Who?", "x", "y")
    assert client.post(at(chat, 1, action), json=body).status_code == 422
    assert chat_votes.votes(studio, [row]) == {}


@pytest.mark.parametrize("action", ["vote", "undo", "reveal", "stop", "again", "prompt", "correct", "send"])
def test_rounds_that_are_not_there_are_said_to_be_so(
    client: TestClient, studio: Studio, chat: Chat, action: str
) -> None:
    bodies: dict[str, Any] = {
        "vote": {"verdict": "a", "left": 0, "right": 1}, "again": {"place": 0}, "stop": {"place": 0},
        "prompt": {"text": "x"}, "correct": {"place": 0, "text": "x"}, "send": {"left": 0, "right": 1},
    }  # fmt: skip
    answered(studio, chat, "Who?", "x", "y")
    for path in (at(chat, 9, action), f"/api/chat/99999/rounds/1/{action}"):
        answer = client.post(path, json=bodies.get(action, {}))
        assert answer.status_code == 409 and answer.json()["error"]


def test_differences_are_of_the_two_places(client: TestClient, studio: Studio, chat: Chat) -> None:
    answered(studio, chat, "Who?", "green grass", "red grass")
    left, right = client.get(at(chat, 1, "difference?left=1&right=0")).json()["difference"]
    assert left[0] == [True, "red"] and right[0] == [True, "green"]
    assert client.get(at(chat, 1, "difference?left=1&right=7")).status_code == 422
    assert client.get(at(chat, 1, "difference?left=1&right=3")).status_code == 409
