"""A page's document has what the page shows when it is opened, in the reader's language and for their role."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

from app import opening
from app.web import create_app
from studio_core.base.studio import Studio
from studio_core.models import registry

HOST = "http://127.0.0.1:7860"


@pytest.fixture
def client(studio: Studio) -> Iterator[TestClient]:
    with TestClient(create_app(studio), base_url=HOST) as made:
        yield made


def config(client: TestClient, path: str, **headers: str) -> dict[str, Any]:
    document = client.get(path, headers=headers).text
    begin = document.index("window.gradio_config = ") + len("window.gradio_config = ")
    found: dict[str, Any] = json.JSONDecoder().raw_decode(document[begin:])[0]
    return found


def values(known: dict[str, Any]) -> dict[str, Any]:
    return {
        one["props"]["elem_id"]: one["props"].get("value")
        for one in known["components"]
        if one["props"].get("elem_id")
    }


def asked(client: TestClient, known: dict[str, Any], document: str) -> list[Any]:
    """What the page is sent by the first of its handlers, as its script would ask."""
    loads = [one for one in known["dependencies"] if one["targets"][0][1] == "load" and one["backend_fn"]]
    handler = loads[0]
    body = {
        "data": [None] * (len(handler["inputs"]) - 1) + [document],
        "fn_index": handler["id"],
        "session_hash": "someone",
    }
    answer = client.post("/gradio_api/run/predict", json=body, headers={"origin": HOST})
    assert answer.status_code == 200, answer.text
    data: list[Any] = answer.json()["data"]
    return data


def test_what_a_page_shows_is_in_its_document(client: TestClient) -> None:
    assert "<h1>" in values(config(client, "/"))["home-body"]
    english, chinese = (config(client, "/settings", cookie=f"lang={one}") for one in ("en", "zh-CN"))
    assert "TUNESMITH_HOME" in values(english)["settings-body"]
    assert values(english)["settings-body"] != values(chinese)["settings-body"]


def test_what_the_document_has_is_not_sent_again(client: TestClient) -> None:
    known = config(client, "/settings")
    document = next(reversed(opening._documents))
    assert document in [one["props"].get("value") for one in known["components"]]
    again, anew = (asked(client, known, name) for name in (document, "made up"))
    assert again[0] == {"__type__": "update"} != anew[0]


def test_a_place_for_files_is_not_drawn_again_under_a_chosen_file(client: TestClient) -> None:
    drop = values(config(client, "/data"))["data-file"]
    assert "input-files" in drop and drop == values(config(client, "/data"))["data-file"]


def test_a_handler_that_fails_leaves_the_page_to_ask(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise ValueError("nothing")

    monkeypatch.setattr(opening, "_answer", fails)
    assert values(config(client, "/"))["home-body"] in (None, "")


@pytest.fixture
def chosen_model(client: TestClient, studio: Studio) -> dict[str, Any]:
    """The Train page's document, and the event that a chosen model makes."""
    registry.ensure_demo_models(studio)
    known = config(client, "/train")
    components = {one["id"]: one for one in known["components"]}
    [model] = [one["id"] for one in components.values() if one["props"].get("elem_id") == "train-model"]
    assert components[model]["props"]["value"] == "tiny-base"
    [event] = [
        one
        for one in known["dependencies"]
        if [model, "change"] in one["targets"] or [model, "input"] in one["targets"]
    ]
    given = [components[one]["props"].get("value") for one in event["inputs"]]
    return {"page": known, "event": event, "given": given, "place": event["inputs"].index(model)}


def choose(client: TestClient, chosen: dict[str, Any], model: str, session: str) -> Response:
    data = list(chosen["given"])
    data[chosen["place"]] = model
    body = {"data": data, "fn_index": chosen["event"]["id"], "session_hash": session}
    return client.post("/gradio_api/run/predict", json=body, headers={"origin": HOST})


def test_an_event_that_comes_before_the_page_has_asked_is_answered(
    client: TestClient, chosen_model: dict[str, Any]
) -> None:
    """Also that of a page that was open when the server was started again: its session is new to the server."""
    for value, status in (("tiny-base", 200), ("no such model", 500)):
        answer = choose(client, chosen_model, value, f"new{status}")
        assert answer.status_code == status, answer.text


def test_two_early_events_at_once_are_both_answered_and_the_page_is_run_once(
    client: TestClient, chosen_model: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    original = opening._given

    def counted(page: Any, block_fn: Any, *rest: Any) -> Any:
        runs.append(block_fn._id)
        return original(page, block_fn, *rest)

    monkeypatch.setattr(opening, "_given", counted)
    with ThreadPoolExecutor(2) as pool:
        tried = [
            pool.submit(choose, client, chosen_model, name, "both") for name in ("tiny-base", "tiny-chat")
        ]
        answers = [one.result() for one in tried]
    assert [one.status_code for one in answers] == [200, 200]
    assert runs and len(set(runs)) == len(runs)


def test_what_a_page_asks_after_an_event_does_not_take_back_what_the_event_changed(
    client: TestClient, chosen_model: dict[str, Any]
) -> None:
    document = next(reversed(opening._documents))
    assert choose(client, chosen_model, "tiny-chat", "someone").status_code == 200
    late = asked(client, chosen_model["page"], document)
    assert late and all(one == {"__type__": "update"} for one in late)
    assert any(one != {"__type__": "update"} for one in asked(client, chosen_model["page"], "made up"))


def test_documents_are_not_remembered_for_ever(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_KEPT", 3)
    for _ in range(5):
        config(client, "/")
    assert len(opening._documents) <= 3


def test_documents_are_compressed(client: TestClient) -> None:
    answer = client.get("/", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) * 2 < len(answer.content)


def test_labels_are_in_the_readers_language_and_no_document_has_all_texts(client: TestClient) -> None:
    for language, label in (("en", "Dataset"), ("zh-CN", "数据集")):
        known = config(client, "/train", cookie=f"lang={language}")
        assert known["i18n_translations"] == {language: {}}
        assert label in [one["props"].get("label") for one in known["components"]]
        assert "__i18n__" not in json.dumps(known)
