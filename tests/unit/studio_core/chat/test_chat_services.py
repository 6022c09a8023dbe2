"""A service on a side of a conversation: its answer comes piece by piece, or as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio_core.base.errors import NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import ChatRound
from studio_core.chat import chat_live, chat_sides, chat_votes, chats
from studio_core.generation import services
from studio_core.labeling import arena
from studio_core.models import registry
from tests.fake_service import FakeService, fake_service, reply
from tests.unit.studio_core.chat.talking import PLAIN


def streamed(*pieces: str, finish: str = "stop", usage: int = 0) -> tuple[int, bytes, dict[str, str]]:
    lines = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
    lines.append({"choices": [{"delta": {}, "finish_reason": finish}], "usage": {"completion_tokens": usage}})
    body = "".join(f"data: {json.dumps(line)}\n\n" for line in lines) + "data: [DONE]\n\n"
    return 200, body.encode(), {"Content-Type": "text/event-stream; charset=utf-8"}


def asked(studio: Studio, service: FakeService, prompt: str = "Hi") -> ChatRound:
    """A round that the service alone answers."""
    services.add(studio.settings.home / services.FILE, "near", service.address, "gpt-x")
    chat = chats.start(studio, ["service:near"], PLAIN)
    assert chat_live.ask(studio, chat.id, prompt, PLAIN).wait(20)
    return chats.history(studio, chat.id)[-1]


def test_pieces_are_joined_and_counted(studio: Studio) -> None:
    with fake_service(lambda document, _: streamed("He", "llo", usage=7)) as service:
        answer = asked(studio, service).answers[0]
        [sent] = service.asked
    assert (answer["answer"], answer["tokens"], answer["state"]) == ("Hello", 7, "stop")
    assert "plain" not in answer
    assert (answer["model"], answer["name"]) == ("service:near", "near") and answer["seconds"] > 0
    assert sent["messages"] == [{"role": "user", "content": "Hi"}] and sent["stream"]
    wanted = {"temperature": 0.7, "top_p": 0.9, "seed": 0, "max_tokens": 256, "model": "gpt-x"}
    assert {name: sent[name] for name in wanted} == wanted, "the same sampling as all others"


def test_pieces_are_not_taken_for_tokens(studio: Studio) -> None:
    with fake_service(lambda document, _: streamed("He", "llo")) as service:
        assert asked(studio, service).answers[0]["tokens"] == 0


def test_a_service_that_does_not_stream_answers_as_a_whole(studio: Studio) -> None:
    with fake_service(lambda document, _: (200, reply("All of it.", "length"), {})) as service:
        answer = asked(studio, service).answers[0]
    assert (answer["answer"], answer["tokens"], answer["state"]) == ("All of it.", 5, "length")


def test_fields_that_a_service_does_not_know_are_left_out(studio: Studio) -> None:
    def picky(document: dict[str, Any], _: int) -> Any:
        if "max_tokens" in document:
            return 400, {"error": {"message": "use max_completion_tokens"}}, {}
        return streamed("Fine.")

    with fake_service(picky) as service:
        answer = asked(studio, service).answers[0]
        assert answer["answer"] == "Fine." and answer["plain"]
        assert len(service.asked) == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, {"error": {"message": "too hot"}}, {}), "too hot"),
        ((401, {"error": "no such key"}, {}), "no such key"),
        ((200, b"data: {\"choices\": []}\n\n", {"Content-Type": "text/event-stream"}), "broke off"),
        ((200, b"data: nonsense\n\n", {"Content-Type": "text/event-stream"}), "no chat completion"),
        ((200, b'data: {"error": {"message": "overloaded"}}\n\n', {"Content-Type": "text/event-stream"}), "overloaded"),
        ((200, b"<html>", {}), "no chat completion"),
        ((302, b"", {"Location": "http://elsewhere/"}), "redirect"),
    ],
)  # fmt: skip
def test_what_came_instead_of_an_answer_is_told(studio: Studio, answer: Any, said: str) -> None:
    with fake_service(lambda document, _: answer) as service:
        found = asked(studio, service).answers[0]
    assert found["state"] == "error" and said in found["error"] and found["key"] == "generation.refused"


def test_an_answer_that_hangs_can_be_stopped_alone(studio: Studio) -> None:
    with fake_service() as service:
        service.delay = 3.0
        services.add(studio.settings.home / services.FILE, "near", service.address, "gpt-x")
        chat = chats.start(studio, ["service:near"], PLAIN)
        live = chat_live.ask(studio, chat.id, "Hi", PLAIN)
        live.stop(0)
        assert live.finished
        live._thread.join(2)
        assert not live._thread.is_alive(), "the question is given up, not waited for"
    assert chats.history(studio, chat.id)[0].answers[0]["state"] == "cancelled"


def test_sides_are_named_and_votes_on_them_kept_out_of_the_arena(studio: Studio) -> None:
    registry.ensure_demo_models(studio)
    services.add(studio.settings.home / services.FILE, "near", "http://127.0.0.1:9/v1", "gpt-x")
    assert ("near (gpt-x)", "service:near") in chat_sides.services_to_ask(studio)
    with pytest.raises(NotFound):
        chat_sides.find_side(studio, "service:far")
    chat = chats.start(studio, ["tiny-chat", "service:near"], PLAIN.model_copy(update={"blind": True}))
    row = chats.add_round(studio, chat, "Who?", PLAIN.model_copy(update={"blind": True}))
    said: Any = [
        {**one, "answer": text, "state": "stop"} for one, text in zip(row.answers, "xy", strict=True)
    ]
    chats.save_answers(studio, row.id, said)
    assert chat_votes.vote(studio, chat.id, 1, "b", 0, 1).record["models"] == ["service:near", chat.models[0]]
    assert arena.played(studio).games == []
    services.remove(studio.settings.home / services.FILE, "near")
    assert chat_sides.value_of(studio, "service:near") is None
    assert chats.history(studio, chat.id)[0].answers[1]["name"] == "near"
