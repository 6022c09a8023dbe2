"""The form that OpenAI's clients speak: tools and calls, chances of other tokens, counts, errors; over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.generation import turns as turns_module
from jobs.generation.models import Models
from jobs.generation.server import ChatServer
from jobs.generation.turns import Desk
from studio_core.runs.spec import ResolvedModel
from tests.unit.jobs.generation.small_models import save_llama

QUESTION = [{"role": "user", "content": "How far is Oslo?"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "distance",
            "description": "How far a place is.",
            "parameters": {"type": "object", "properties": {"to": {"type": "string"}}},
        },
    }
]
CALL = '<tool_call>\n{"name": "distance", "arguments": {"to": "Oslo"}}\n</tool_call>'
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "distance", "arguments": '{"to": "Oslo"}'}}
    ],
}


def calling(arguments: str) -> dict[str, Any]:
    return {**CALLED, "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}


RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "12 km"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatServer]:
    # Tools in a prompt take some hundred tokens of a tokenizer that has one for each byte.
    folder = save_llama(tmp_path_factory.mktemp("models") / "base", context=1024)
    base = ResolvedModel(name="base", path=str(folder))
    served = ChatServer(Desk(Models("cpu"), [base]), "the-token")
    served.start()
    yield served
    served.desk.closing.set()
    served.close()


@pytest.fixture
def client(server: ChatServer) -> Iterator[httpx.Client]:
    base = f"http://127.0.0.1:{server.port}"
    with httpx.Client(base_url=base, headers={"Authorization": "Bearer the-token"}, timeout=60) as opened:
        yield opened


def ask(client: httpx.Client, **more: Any) -> httpx.Response:
    body = {"model": "base", "messages": QUESTION, "temperature": 0, "max_tokens": 4}
    return client.post("/v1/chat/completions", json={**body, **more})


def complete(client: httpx.Client, **more: Any) -> dict[str, Any]:
    reply = ask(client, **more)
    assert reply.status_code == 200, reply.text
    document: dict[str, Any] = reply.json()
    return document


def streamed(client: httpx.Client, **more: Any) -> list[dict[str, Any]]:
    lines = ask(client, stream=True, **more).text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the model writes, put in place of it: a miniature cannot call."""
    texts: list[str] = []

    def answer(models: Any, sides: Any, sampling: Any, *_: Any) -> Iterator[dict[str, Any]]:
        for piece in texts:
            yield {"side": 0, "text": piece}
        yield {"side": 0, "done": True, "prompt_tokens": 5, "tokens": 3, "seconds": 0.1, "reason": "stop"}

    monkeypatch.setattr(turns_module, "answer", answer)
    return texts


def test_a_call_is_told_as_one(client: httpx.Client, answers: list[str]) -> None:
    answers += ["Let me see. ", CALL[:20], CALL[20:]]
    reply = complete(client, tools=TOOLS)
    [choice] = reply["choices"]
    assert choice["finish_reason"] == "tool_calls" and choice["message"]["content"] == "Let me see."
    [call] = choice["message"]["tool_calls"]
    assert (
        call["function"] == {"name": "distance", "arguments": '{"to": "Oslo"}'} and call["type"] == "function"
    )
    assert reply["usage"] == {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    [part] = streamed(client, tools=TOOLS)
    [streamed_call] = part["choices"][0]["delta"]["tool_calls"]
    assert streamed_call["function"] == call["function"] and streamed_call["index"] == 0
    assert part["choices"][0]["finish_reason"] == "tool_calls"
    # Who gave no tools, or wants none called, reads what was written.
    for given in ({}, {"tools": TOOLS, "tool_choice": "none"}):
        [choice] = complete(client, **given)["choices"]
        assert choice["message"] == {"role": "assistant", "content": f"Let me see. {CALL}"}
        assert choice["finish_reason"] == "stop"


def test_one_call_at_a_time_is_the_first(client: httpx.Client, answers: list[str]) -> None:
    answers += [CALL, CALL.replace("Oslo", "Bergen")]
    for parallel, places in ((True, ["Oslo", "Bergen"]), (False, ["Oslo"])):
        [choice] = complete(client, tools=TOOLS, parallel_tool_calls=parallel)["choices"]
        calls = [json.loads(call["function"]["arguments"]) for call in choice["message"]["tool_calls"]]
        assert [call["to"] for call in calls] == places and choice["message"]["content"] is None


@pytest.mark.parametrize("text", ["It is 12 km.", "<tool_call>distance Oslo</tool_call>"])
def test_what_is_no_call_is_told_as_it_was_written(
    client: httpx.Client, answers: list[str], text: str
) -> None:
    answers.append(text)
    [choice] = complete(client, tools=TOOLS)["choices"]
    assert choice["message"] == {"role": "assistant", "content": text} and choice["finish_reason"] == "stop"


def test_tools_calls_and_results_stand_in_the_prompt(client: httpx.Client, server: ChatServer) -> None:
    first = complete(client, messages=QUESTION)["usage"]["prompt_tokens"]
    with_tools = complete(client, tools=TOOLS)["usage"]["prompt_tokens"]
    told = [*QUESTION, CALLED, RESULT]
    opened = server.desk.models.open(server.desk.known["base"])
    messages = [
        QUESTION[0],
        {
            "role": "assistant",
            "content": "",
            "tool_calls": json.dumps([{"name": "distance", "arguments": {"to": "Oslo"}, "id": "call_1"}]),
        },
        {"role": "tool", "content": "12 km", "tool_call_id": "call_1"},
    ]
    prompt = opened.prompt(messages, TOOLS)  # type: ignore[arg-type]
    text = opened.tokenizer.decode(prompt)
    assert text.index("How far a place is") < text.index('"to": "Oslo"') < text.index("12 km")
    assert complete(client, messages=told, tools=TOOLS)["usage"]["prompt_tokens"] == len(prompt)
    assert first < with_tools < len(prompt)


def test_parts_and_developers_are_read_as_texts_of_the_system(client: httpx.Client) -> None:
    parts = [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}]
    written = complete(client, messages=[{"role": "developer", "content": parts}, *QUESTION])
    plain = complete(client, messages=[{"role": "system", "content": "Be\nbrief."}, *QUESTION])
    assert written["choices"] == plain["choices"] and written["usage"] == plain["usage"]


def test_null_is_as_good_as_nothing(client: httpx.Client) -> None:
    nothing = dict.fromkeys(
        ("top_p", "n", "stream", "stop", "tools", "tool_choice", "response_format", "user")
    )
    assert complete(client, **nothing)["choices"] == complete(client)["choices"]


def test_a_stream_begins_with_its_role_and_ends_with_its_counts(client: httpx.Client) -> None:
    whole = complete(client)
    *parts, last = streamed(client, stream_options={"include_usage": True})
    deltas = [part["choices"][0]["delta"] for part in parts]
    assert deltas[0]["role"] == "assistant" and all("role" not in delta for delta in deltas[1:])
    assert "".join(delta.get("content", "") for delta in deltas) == whole["choices"][0]["message"]["content"]
    assert last["choices"] == [] and last["usage"] == whole["usage"]
    assert whole["usage"]["total_tokens"] == whole["usage"]["prompt_tokens"] + 4


def test_the_likeliest_tokens_are_told_with_theirs(client: httpx.Client) -> None:
    told = complete(client, logprobs=True, top_logprobs=3)["choices"][0]["logprobs"]["content"]
    assert len(told) == 4
    for token in told:
        others = token["top_logprobs"]
        # Greedy: the one that was drawn is the likeliest.
        assert (others[0]["token"], others[0]["logprob"]) == (token["token"], token["logprob"])
        assert [other["logprob"] for other in others] == sorted((o["logprob"] for o in others), reverse=True)
        assert len(others) == 3
    parts = streamed(client, logprobs=True, top_logprobs=3)
    assert [t for p in parts for t in (p["choices"][0]["logprobs"] or {"content": []})["content"]] == told


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"tool_choice": "required", "tools": TOOLS}, "force a call"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": 10**9}, "max_tokens"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
        ({"top_logprobs": 2}, "logprobs to true"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
        ({"messages": [*QUESTION, calling("[1]")]}, "object"),
        ({"messages": [*QUESTION, calling("{")]}, "arguments"),
        ({"messages": [{"role": "user", "content": "far " * 4000}]}, "supports at most"),
        ({"model": "other"}, "there are: base"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_a_sentence(
    client: httpx.Client, wrong: dict[str, Any], word: str
) -> None:
    reply = ask(client, **wrong)
    error = reply.json()["error"]
    assert ask(client, stream=True, **wrong).json()["error"] == error
    assert reply.status_code == (404 if "model" in wrong else 400), reply.text
    assert set(error) == {"message", "type", "param", "code"}
    assert word in error["message"], error
    assert (error["code"] == "context_length_exceeded") is (word == "supports at most")


def test_a_wrong_key_is_told_in_the_same_form(server: ChatServer) -> None:
    reply = httpx.get(f"http://127.0.0.1:{server.port}/v1/models", headers={"Authorization": "Bearer no"})
    assert reply.status_code == 401 and reply.json()["error"]["type"] == "authentication_error"


@pytest.mark.parametrize("end", [[], [{"side": 0, "done": True, "tokens": 1, "reason": "cancelled"}]])
def test_an_answer_that_was_given_up_is_an_error(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, end: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(turns_module, "answer", lambda *_: iter(end))
    for stream in (False, True):
        reply = ask(client, stream=stream)
        assert reply.status_code == 503 and "ask again" in reply.json()["error"]["message"]


def test_a_stream_that_fails_midway_says_so_and_has_no_last_line(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = {"side": 0, "error": "It broke.", "key": "chat.generation_failed", "values": {}}
    monkeypatch.setattr(turns_module, "answer", lambda *_: iter([{"side": 0, "text": "It"}, error]))
    first, second, rest = ask(client, stream=True).text.split("\n\n")
    assert '"It"' in first and "It broke." in second and rest == ""


def test_models_are_offered_by_name(client: httpx.Client, folders: dict[str, Path]) -> None:
    lora = ResolvedModel(name="tuned", path=str(folders["base"]), adapter=str(folders["lora"]))
    assert client.post("/offer", json={"models": [lora.model_dump()]}).json() == {"models": 2}
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["base", "tuned"]
    assert complete(client, model="tuned")["model"] == "tuned"
