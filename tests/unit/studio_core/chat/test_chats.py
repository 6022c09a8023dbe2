"""Conversations, votes, exports. The chat worker is played by a list of events."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from studio_core.base.errors import BadInput, Conflict, NotFound, StudioError
from studio_core.base.settings import bundled_folder
from studio_core.base.studio import Studio
from studio_core.base.tables import Chat
from studio_core.chat import chat_exports, chat_live, chat_votes, chats
from studio_core.chat.chats import ChatSettings
from studio_core.data import store
from studio_core.generation import serving
from studio_core.models import registry
from tests.conftest import wait_until
from tests.unit.studio_core.chat.talking import PLAIN, answered, done

DEMO = [bundled_folder() / "models" / name for name in registry.DEMO_MODELS]


@pytest.fixture
def studio(studio: Studio) -> Studio:
    registry.ensure_demo_models(studio)
    return studio


@pytest.fixture
def chat(studio: Studio) -> Chat:
    return chats.start(studio, ["tiny-base", "tiny-chat"], PLAIN)


class Worker:
    """Stands where the chat worker would be asked; remembers the questions."""

    def __init__(self) -> None:
        self.asked: list[list[serving.Question]] = []
        self.seeds: list[int] = []
        self.events: list[dict[str, Any] | Exception | Callable[[], None]] = []

    def __call__(
        self, _studio: Studio, questions: Any, sampling: Any, cancelled: Any = lambda: False, *, key: str = ""
    ) -> Iterator[Any]:
        self.asked.append(list(questions))
        self.seeds.append(sampling.seed)
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            if callable(event):
                event()
            elif not cancelled():
                yield dict(event)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    played = Worker()
    monkeypatch.setattr(serving, "generate", played)
    return played


def end(side: int, reason: str = "stop") -> dict[str, Any]:
    return {"side": side, "done": True, "tokens": 2, "seconds": 0.1, "reason": reason}


# --- conversations --------------------------------------------------------------------------


def test_a_conversation_is_kept(studio: Studio, chat: Chat) -> None:
    assert chats.titles(studio) == [], "it is listed from its first prompt on"
    answered(studio, chat, "  Who\n are you?  " + "x" * 80, "I", "You")
    answered(studio, chat, "Again", "Me", "Not you")
    [listed] = chats.titles(studio)
    assert listed.title.startswith("Who are you? xxx") and len(listed.title) == 60
    assert [row.number for row in chats.history(studio, chat.id)] == [1, 2]
    assert [a["name"] for a in chats.history(studio, chat.id)[0].answers] == ["tiny-base", "tiny-chat"]


def test_each_side_continues_its_own_conversation(studio: Studio, chat: Chat) -> None:
    settings = ChatSettings(system="Be brief.")
    answered(studio, chat, "One?", "a1", "b1")
    failed = answered(studio, chat, "Two?", "a2", "b2")
    answers: Any = [failed.answers[0], {**failed.answers[1], **done("", "error")}]
    chats.save_answers(studio, failed.id, answers)
    row = chats.add_round(studio, chat, "Three?", settings)
    first, second = chats.questions(studio, chat, row, [0, 1])
    assert isinstance(first, serving.Question) and isinstance(second, serving.Question)
    said = [(m["role"][0], m["content"]) for m in first.messages]
    assert said == [
        ("s", "Be brief."), ("u", "One?"), ("a", "a1"), ("u", "Two?"), ("a", "a2"), ("u", "Three?")
    ]  # fmt: skip
    assert [m["content"] for m in second.messages] == ["Be brief.", "One?", "b1", "Three?"]
    assert first.model.name == "tiny-base"


@pytest.mark.parametrize("prompt", ["", "  \n ", "x" * 100_001])
def test_a_prompt_that_cannot_be_asked_changes_nothing(studio: Studio, chat: Chat, prompt: str) -> None:
    with pytest.raises(BadInput):
        chats.add_round(studio, chat, prompt, PLAIN)
    assert chats.history(studio, chat.id) == [] and chats.titles(studio) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", 3), ("temperature", float("nan")), ("top_p", 0), ("seed", -1), ("seed", 1.5),
     ("max_tokens", 10**6), ("system", 5)],
)  # fmt: skip
def test_settings_out_of_range_are_named(field: str, value: Any) -> None:
    with pytest.raises(BadInput, match=f"{field} cannot be"):
        chats.checked_settings(**{field: value})


def test_number_of_models_and_unknown_ones(studio: Studio) -> None:
    for names in ([], ["tiny-base"] * 5):
        with pytest.raises(BadInput, match="takes 1 to 4"):
            chats.start(studio, names, PLAIN)
    with pytest.raises(NotFound):
        chats.start(studio, ["no-such-model"], PLAIN)
    with pytest.raises(NotFound, match="no conversation 99"):
        chats.get(studio, 99)


# --- rounds as they come in -----------------------------------------------------------------


def test_answers_are_stored_though_nobody_looks_on(studio: Studio, chat: Chat, worker: Worker) -> None:
    worker.events = [
        {"side": 1, "state": "loading"}, {"side": 0, "text": "He"}, {"side": 1, "text": "Yo"},
        {"side": 0, "text": "llo"}, end(0), {"side": 1, "error": "Broken.", "key": "chat.not_numbers",
        "values": {"model": "m"}},
    ]  # fmt: skip
    live = chat_live.ask(studio, chat.id, "Hi", PLAIN)
    assert live.wait(10)
    [row] = chat_live.history(studio, chat.id)
    assert row.answers[0]["answer"] == "Hello" and row.answers[0]["tokens"] == 2
    assert (row.answers[1]["state"], row.answers[1]["answer"]) == ("error", "Yo")
    assert row.answers[1]["key"] == "chat.not_numbers"
    assert chat_live.current(studio, chat.id) is None


def test_a_page_can_find_the_round_again_and_stop_it(studio: Studio, chat: Chat, worker: Worker) -> None:
    hold = threading.Event()
    worker.events = [
        {"side": 0, "text": "so far"},
        hold.wait,
        {"side": 0, "text": "too late"},
        end(0),
        end(1),
    ]
    live = chat_live.ask(studio, chat.id, "Hi", PLAIN)
    wait_until(lambda: live.answers()[0]["answer"])
    assert chat_live.current(studio, chat.id) is live
    with pytest.raises(Conflict, match="still being answered"):
        chat_live.ask(studio, chat.id, "Me too", PLAIN)
    live.stop()
    assert live.finished
    hold.set()
    live._thread.join(10)
    [row] = chats.history(studio, chat.id)
    assert [(a["state"], a["answer"]) for a in row.answers] == [("cancelled", "so far"), ("cancelled", "")]


def test_one_side_is_stopped_alone(
    studio: Studio, chat: Chat, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(serving, "stop_side", lambda _studio, _key, side: told.append(side))
    hold = threading.Event()
    worker.events = [
        {"side": 0, "text": "so far"}, hold.wait, {"side": 0, "text": "too late"}, {"side": 1, "text": "whole"},
        end(0, "cancelled"), end(1),
    ]  # fmt: skip
    live = chat_live.ask(studio, chat.id, "Hi", PLAIN)
    wait_until(lambda: live.answers()[0]["answer"])
    live.stop(0)
    live.stop(0)
    assert told == [0] and not live.finished
    hold.set()
    assert live.wait(10)
    [row] = chats.history(studio, chat.id)
    assert [(a["state"], a["answer"]) for a in row.answers] == [("cancelled", "so far"), ("stop", "whole")]
    assert row.answers[0]["tokens"] == 2


def test_a_round_is_asked_again_in_its_place_until_it_is_judged(
    studio: Studio, chat: Chat, worker: Worker
) -> None:
    answered(studio, chat, "One?", "a1", "b1")
    answered(studio, chat, "Two?", "a2", "b2")
    worker.events = [{"side": 0, "text": "new"}, end(0)]
    live = chat_live.ask_again(studio, chat.id, 2, [1])
    assert live.wait(10) and live.chat_id == chat.id
    row = chats.history(studio, chat.id)[1]
    assert [a["answer"] for a in row.answers] == ["a2", "new"] and worker.seeds == [1]
    assert [m["content"] for m in worker.asked[0][0].messages] == ["One?", "b1", "Two?"]
    chat_votes.vote(studio, chat.id, 2, "b", 0, 1)
    worker.events = [{"side": 0, "text": "x"}, {"side": 1, "text": "y"}, end(0), end(1)]
    for number, seed in ((2, 2), (1, 1)):
        live = chat_live.ask_again(studio, chat.id, number, [1])
        assert live.wait(10) and live.chat_id != chat.id
        rounds = chats.history(studio, live.chat_id)
        assert len(rounds) == number and len(worker.asked[-1]) == 2
        assert rounds[-1].settings["seed"] == worker.seeds[-1] == seed
    live = chat_live.ask_instead(studio, chat.id, 2, "Two, otherwise?")
    assert live.wait(10)
    assert [row.prompt for row in chats.history(studio, live.chat_id)] == ["One?", "Two, otherwise?"]
    assert [m["content"] for m in worker.asked[-1][1].messages] == ["One?", "b1", "Two, otherwise?"]
    with pytest.raises(BadInput):
        chat_live.ask_instead(studio, chat.id, 2, " ")
    with pytest.raises(BadInput, match="no such answer"):
        chat_live.ask_again(studio, chat.id, 2, [7])


def test_a_worker_that_cannot_be_reached_is_the_answer(studio: Studio, chat: Chat, worker: Worker) -> None:
    lost = StudioError("chat.server_lost", job=3, reason="gone", log="worker.log")
    worker.events = [{"side": 0, "text": "A"}, end(0), lost]
    assert chat_live.ask(studio, chat.id, "Hi", PLAIN).wait(10)
    [row] = chats.history(studio, chat.id)
    assert [a["state"] for a in row.answers] == ["stop", "error"]
    assert (
        "stopped while answering" in row.answers[1]["error"] and row.answers[1]["key"] == "chat.server_lost"
    )


def test_a_model_whose_files_are_gone_fails_alone(
    studio: Studio, chat: Chat, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = registry.resolve

    def broken(studio: Studio, name: str | int) -> Any:
        if name == chat.models[0]:
            raise BadInput("models.gone", model="tiny-base", path="/gone")
        return resolve(studio, name)

    monkeypatch.setattr(registry, "resolve", broken)
    worker.events = [{"side": 0, "text": "here"}, end(0)]
    assert chat_live.ask(studio, chat.id, "Hi", PLAIN).wait(10)
    [row] = chats.history(studio, chat.id)
    assert [a["state"] for a in row.answers] == ["error", "stop"]
    assert row.answers[1]["answer"] == "here"
    assert len(worker.asked[0]) == 1


def test_an_older_state_is_never_stored_over_a_newer_one(
    studio: Studio, chat: Chat, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request stores what has come so far just when the answer ends."""
    hold, storing = threading.Event(), threading.Event()
    worker.events = [{"side": 0, "text": "so far"}, hold.wait, end(0), end(1)]
    live = chat_live.ask(studio, chat.id, "Hi", PLAIN)
    wait_until(lambda: live.answers()[0]["answer"])
    save = chats.save_answers

    def slowly(studio: Studio, round_id: int, answers: Any) -> None:
        if answers[0]["state"] == "streaming":
            storing.set()
            hold.set()
            live.wait(0.5)  # It has ended, or cannot before this is stored.
        save(studio, round_id, answers)

    monkeypatch.setattr(chats, "save_answers", slowly)
    request = threading.Thread(target=live.save)
    request.start()
    assert storing.wait(10) and live.wait(10)
    request.join(10)
    [row] = chats.history(studio, chat.id)
    assert [a["state"] for a in row.answers] == ["stop", "stop"]


def test_a_round_that_is_just_being_begun_is_not_cut_off(
    studio: Studio, chat: Chat, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another tab looks between the row of a round and its thread."""
    worker.events = [{"side": 0, "text": "here"}, end(0), end(1)]
    begin, looked = chat_live._begin, threading.Event()
    seen: list[str] = []

    def look() -> None:
        looked.set()
        seen.extend(answer["state"] for answer in chat_live.history(studio, chat.id)[0].answers)

    def slowly(*given: Any) -> Any:
        other.start()
        looked.wait(10)
        other.join(0.5)
        return begin(*given)

    other = threading.Thread(target=look)
    monkeypatch.setattr(chat_live, "_begin", slowly)
    assert chat_live.ask(studio, chat.id, "Hi", PLAIN).wait(10)
    other.join(10)
    assert len(seen) == 2 and "interrupted" not in seen


def test_a_round_cut_off_by_the_end_of_the_page_is_marked(studio: Studio, chat: Chat) -> None:
    chats.add_round(studio, chat, "Hi", PLAIN)
    [row] = chat_live.history(studio, chat.id)
    assert [a["state"] for a in row.answers] == ["interrupted"] * 2


def test_ask_once_stores_nothing(studio: Studio, worker: Worker) -> None:
    worker.events = [{"side": 0, "text": "A"}, {"side": 1, "error": "No."}, end(0)]
    found = chats.ask_once(studio, ["tiny-base", "tiny-chat"], "Hi", ChatSettings(system="S"))
    assert found == [
        {"model": "tiny-base", "answer": "A", "tokens": 2, "seconds": 0.1},
        {"model": "tiny-chat", "answer": "", "tokens": 0, "seconds": 0.0, "error": "No."},
    ]
    assert worker.asked[0][0].messages[0] == {"role": "system", "content": "S"}
    assert chats.titles(studio) == []


# --- files ----------------------------------------------------------------------------------


def test_markdown_shows_everything_as_it_is(studio: Studio, chat: Chat) -> None:
    hostile = "```\n# not a heading\n````<script>"
    row = answered(studio, chat, hostile, "plain", "y", settings=ChatSettings(system="Be brief."))
    chat_votes.vote(studio, chat.id, row.number, "b", 0, 1)
    text = chat_exports.markdown(studio, chat.id)
    assert f"`````text\n{hostile}\n`````" in text
    assert "### tiny-base (5 tokens, 0.50 s, stop)" in text and "```text\nBe brief.\n```" in text
    assert text.rstrip().endswith("Vote: tiny-chat is better")


def test_jsonl_is_chat_data(studio: Studio, chat: Chat, tmp_path: Any) -> None:
    answered(studio, chat, "One?", "a1", "b1")
    row = answered(studio, chat, "Two?", "a2", "b2")
    answers: Any = [row.answers[0], {**row.answers[1], **done("", "error")}]
    chats.save_answers(studio, row.id, answers)
    text = chat_exports.jsonl(studio, chat.id)
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["model"] for line in lines] == ["tiny-base", "tiny-chat"]
    assert [m["content"] for m in lines[0]["messages"]] == ["One?", "a1", "Two?", "a2"]
    assert [m["content"] for m in lines[1]["messages"]] == ["One?", "b1"]
    (tmp_path / "chat.jsonl").write_text(text)
    assert store.import_file(studio, tmp_path / "chat.jsonl").dataset.shape == "chat"
    with pytest.raises(NotFound):
        chat_exports.jsonl(studio, 99)
