"""A conversation through the real engine, supervisor and worker, with the demo models."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app import cli
from studio_core.base import atomic
from studio_core.base.states import TERMINAL, State, Stop
from studio_core.base.studio import Studio, open_studio
from studio_core.chat import chat_live, chat_votes, chats
from studio_core.chat.chats import ChatSettings
from studio_core.generation import serving
from studio_core.models import registry
from studio_core.runs import queue, run_folder
from studio_core.runs.engine_process import LOCK
from tests.conftest import wait_until

GREEDY = ChatSettings(temperature=0, max_tokens=48)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One studio with its engine for all tests here; the chat worker ends after three idle seconds."""
    opened = open_studio(home=tmp_path_factory.mktemp("chat") / "home", serve_idle=3.0, warm_workers=0)
    registry.ensure_demo_models(opened)
    yield opened
    for job in [*queue.live(opened), *queue.waiting(opened)]:
        queue.request_stop(opened, job.id, Stop.CANCEL)
    wait_until(lambda: not queue.live(opened), what="runs end")
    lock = json.loads((opened.settings.home / LOCK).read_text())
    os.kill(lock["pid"], signal.SIGTERM)
    opened.close()


def test_a_round_is_answered_stored_and_judged(studio: Studio) -> None:
    chat = chats.start(studio, ["tiny-base", "tiny-chat"], GREEDY)
    live = chat_live.ask(studio, chat.id, "Who are you?", GREEDY)
    assert live.wait(240)
    [row] = chats.history(studio, chat.id)
    base, tuned = row.answers
    assert base["state"] in ("stop", "length") and tuned["state"] == "stop", row.answers
    assert "model" in tuned["answer"] and tuned["answer"] != base["answer"]
    assert 0 < tuned["tokens"] <= 48 and tuned["seconds"] > 0
    chat_votes.vote(studio, chat.id, row.number, "b", 0, 1)
    [record] = chat_votes.preference_records(studio)
    assert record["chosen"][0]["content"] == tuned["answer"]


def test_the_same_question_on_the_command_line_gives_the_same_answer(studio: Studio) -> None:
    [once] = chats.ask_once(studio, ["tiny-chat"], "Who are you?", GREEDY)
    chat = chats.start(studio, ["tiny-chat"], GREEDY)
    chat_live.ask(studio, chat.id, "Who are you?", GREEDY).wait(240)
    assert chats.history(studio, chat.id)[0].answers[0]["answer"] == once["answer"]


def test_other_programs_ask_by_the_address_that_is_printed(
    studio: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["address", "--once", "--json", "--home", str(studio.settings.home)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert "tiny-chat" in printed["models"]
    headers = {"Authorization": f"Bearer {printed['api_key']}"}
    body = {"model": "tiny-chat", "messages": [{"role": "user", "content": "Who are you?"}], "temperature": 0}
    reply = httpx.post(f"{printed['base_url']}/chat/completions", json=body, headers=headers, timeout=240)
    [once] = chats.ask_once(studio, ["tiny-chat"], "Who are you?", GREEDY)
    assert reply.json()["choices"][0]["message"]["content"] == once["answer"]


def test_stopping_ends_the_generation_in_the_worker(studio: Studio) -> None:
    endless = ChatSettings(temperature=1.8, top_p=1.0, max_tokens=4096)
    chat = chats.start(studio, ["tiny-base"] * 4, endless)
    live = chat_live.ask(studio, chat.id, "The river", endless)
    wait_until(lambda: any(a["answer"] for a in live.answers()) or live.finished, 60)
    live.stop()
    live._thread.join(240)
    assert not live._thread.is_alive()
    # The worker is free again: the next question does not wait for the one that was stopped.
    assert chats.ask_once(studio, ["tiny-chat"], "Who are you?", GREEDY)[0]["answer"]


def test_an_idle_worker_ends_and_the_next_question_starts_another(studio: Studio) -> None:
    first = serving.ensure_server(studio)
    serving.wait_ready(studio, first)
    ended = wait_until(
        lambda: (job := queue.get(studio, first.id)).state in TERMINAL and job, 60, "the idle worker ends"
    )
    assert ended.state == State.SUCCEEDED, (ended.cause, ended.detail)
    assert not (Path(ended.run_dir or "") / run_folder.SERVE).exists()
    assert chats.ask_once(studio, ["tiny-chat"], "Who are you?", GREEDY)[0]["tokens"]
    assert serving.ensure_server(studio).id > first.id


def test_a_worker_that_is_killed_is_told_and_replaced(studio: Studio) -> None:
    endless = ChatSettings(temperature=1.8, top_p=1.0, max_tokens=4096)
    chat = chats.start(studio, ["tiny-base"] * 4, endless)
    live = chat_live.ask(studio, chat.id, "The river", endless)
    wait_until(lambda: all(a["answer"] for a in live.answers()) or live.finished, 60)
    job = serving.ensure_server(studio)
    address = atomic.read_json(Path(job.run_dir or "") / run_folder.SERVE)
    assert address is not None
    os.kill(address["pid"], signal.SIGKILL)
    assert live.wait(240)
    [row] = chats.history(studio, chat.id)
    failed = [a for a in row.answers if a["state"] == "error"]
    assert failed and all(a["answer"] and a["key"] == "chat.server_lost" for a in failed), row.answers
    assert chats.ask_once(studio, ["tiny-chat"], "Who are you?", GREEDY)[0]["answer"]
