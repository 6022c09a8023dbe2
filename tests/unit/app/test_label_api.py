"""The labelling screen's requests, as anyone on the network could send them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.testclient import TestClient

from app.access import enter
from app.parts.labeling import api as label_api
from app.parts.markdown import rendered
from app.refused import answer_invalid_request
from studio_core.base import clock
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.generation.answer_jobs import AnswerSource
from studio_core.labeling import items, making, projects, votes
from studio_core.labeling.items import Answer, NewItem
from studio_core.labeling.making import NewPrompt
from studio_core.labeling.words import difference
from studio_core.models import registry
from studio_core.people.accounts import Account, Role
from tests.unit.jobs.generation.small_models import save_llama

HOSTILE = (
    '<img src=x onerror="alert(1)"><script>alert(1)</script> [x](javascript:alert(1)) ![y](http://evil/)'
)


@pytest.fixture
def project(studio: Studio) -> int:
    one = projects.create(studio, "p", settings={"repeats": 0.0})
    prompt = [{"role": "user", "content": HOSTILE}]
    items.add(
        studio,
        one.id,
        (
            NewItem(prompt, [Answer(f"{HOSTILE} {n}", "model-a"), Answer("short", "model-b")])
            for n in range(8)
        ),
    )
    return one.id


@pytest.fixture
def client(studio: Studio) -> Iterator[TestClient]:
    api = FastAPI()
    api.add_exception_handler(RequestValidationError, answer_invalid_request)

    @api.middleware("http")
    async def sign_in(request: Request, call_next: Any) -> Any:
        name = request.headers.get("x-name", "anna")
        enter(request.scope, Account(1, name, Role.ANNOTATOR), None)  # type: ignore[arg-type]
        return await call_next(request)

    api.include_router(label_api.routes(studio))
    with TestClient(api) as opened:
        yield opened


def test_a_vote_brings_the_next_pair_and_says_who_wrote_what(
    client: TestClient, studio: Studio, project: int
) -> None:
    first = client.get(f"/api/label/{project}/next").json()
    assert first["item"]["number"] == 1 and first["progress"] == {"items": 8, "done": 0, "mine": 0}
    assert "model-" not in str(first)  # Blind until the verdict.
    said = {"item": first["item"]["id"], "verdict": "left", "comment": "good", "reasons": ["factual"]}
    second = client.post(f"/api/label/{project}/vote", json=said).json()
    assert second["item"]["number"] == 2 and second["progress"] == {"items": 8, "done": 1, "mine": 1}
    assert sorted(second["last"]["sources"]) == ["model-a", "model-b"]
    [vote] = votes.standing(studio, project)
    assert vote.annotator == "anna" and vote.comment == "good"
    back = client.post(f"/api/label/{project}/undo", json={}).json()
    assert back["item"]["number"] == 1 and back["item"]["draft"]["comment"] == "good"


def test_taking_a_vote_back_is_undone_on_any_page(client: TestClient, studio: Studio, project: int) -> None:
    item = client.get(f"/api/label/{project}/next").json()["item"]["id"]
    said = {"item": item, "verdict": "left", "comment": "good"}
    client.post(f"/api/label/{project}/vote", json=said)
    [before] = votes.standing(studio, project)
    client.post(f"/api/label/{project}/reopen", json={"item": item})
    gone = client.post(f"/api/label/{project}/withdraw", json={"item": item}).json()
    assert gone["progress"]["mine"] == 0 and votes.standing(studio, project) == []
    client.get(f"/api/label/{project}/next")  # Read anew, the page knows of it.
    back = client.post(f"/api/label/{project}/undo", json={}).json()
    assert back["item"]["id"] == item and back["item"]["state"] == "submitted"
    assert back["item"]["draft"]["comment"] == "good" and back["progress"]["mine"] == 1
    [after] = votes.standing(studio, project)
    assert (after.id, after.created_at, after.verdict) == (before.id, before.created_at, before.verdict)

    client.post(f"/api/label/{project}/withdraw", json={"item": item})
    taken = client.get(f"/api/label/{project}/next", headers={"x-name": "ben"}).json()["item"]
    assert taken["id"] == item
    for language, words in (
        ("en", "has been assigned to others since you withdrew"),
        ("zh-CN", "仍为撤回状态"),
    ):
        refused = client.post(f"/api/label/{project}/undo", json={}, headers={"accept-language": language})
        assert refused.status_code == 409 and words in refused.json()["error"]


def test_drafts_outlive_the_page(client: TestClient, project: int) -> None:
    item = client.get(f"/api/label/{project}/next").json()["item"]
    draft = {"edits": {"0": "far better"}, "comment": "half"}
    assert client.post(f"/api/label/{project}/draft", json={"item": item["id"], "draft": draft}).json() == {}
    again = client.get(f"/api/label/{project}/next").json()["item"]
    assert again["draft"] == draft and again["id"] == item["id"]
    vote = {"item": item["id"], "verdict": "both_bad", "edits": {"0": "far better"}}
    assert client.post(f"/api/label/{project}/vote", json=vote).status_code == 200


def test_a_draft_that_is_emptied_is_none(client: TestClient, studio: Studio, project: int) -> None:
    def shown(path: str = "next") -> dict[str, Any]:
        found: dict[str, Any] = client.get(f"/api/label/{project}/{path}").json()["item"]
        return found

    item = shown()["id"]
    empty = {"reasons": [], "strength": "", "comment": "", "edits": {}}
    for draft, state in (({**empty, "comment": "x"}, "draft"), (empty, "pending")):
        client.post(f"/api/label/{project}/draft", json={"item": item, "draft": draft})
        assert shown()["state"] == state
    client.post(f"/api/label/{project}/vote", json={"item": item, "verdict": "tie"})
    client.post(f"/api/label/{project}/reopen", json={"item": item})
    client.post(f"/api/label/{project}/draft", json={"item": item, "draft": empty})
    assert (shown()["id"], shown()["state"], shown()["draft"]) == (item, "submitted", {})


@pytest.mark.parametrize(
    "entered", ['{"comment": "\\ud83d"}', '{"rating": NaN}', '{"reasons": 7}', '{"edits": [1]}', "[]"]
)
def test_a_draft_that_could_not_be_sent_back_is_refused(
    client: TestClient, project: int, entered: str
) -> None:
    item = client.get(f"/api/label/{project}/next").json()["item"]
    sent = f'{{"item": {item["id"]}, "draft": {entered}}}'
    answer = client.post(
        f"/api/label/{project}/draft", content=sent, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (409, 422) and answer.json()["error"]
    assert client.get(f"/api/label/{project}/next").json()["item"]["draft"] == {}


def test_one_answer_differs_from_nothing(client: TestClient, studio: Studio) -> None:
    one = projects.create(studio, "single", mode="rate")
    items.add(studio, one.id, [NewItem([{"role": "user", "content": "q"}], [Answer("a", "m")])])
    item = client.get(f"/api/label/{one.id}/next").json()["item"]
    assert client.get(f"/api/label/{one.id}/difference/{item['id']}").json() == {"differences": None}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("vote", {"item": 999, "verdict": "left"}, 409),
        ("vote", {"item": 2**70, "verdict": "left"}, 422),
        ("vote", {"item": 1, "verdict": "a"}, 409),
        ("vote", {"item": 1, "verdict": "left", "annotator": "ben"}, 422),
        ("vote", {"item": 1, "verdict": "left", "edits": {"x": "y"}}, 422),
        ("vote", {"item": 1, "verdict": "left", "comment": "x" * 30_000}, 409),
        ("draft", {"item": 1, "draft": {"comment": "x" * 200_000}}, 409),
        ("draft", {"item": 5, "draft": {}}, 409),
        ("undo", {}, 409),
    ],
)
def test_what_will_not_do_changes_nothing(
    client: TestClient, studio: Studio, project: int, path: str, body: dict[str, Any], status: int
) -> None:
    client.get(f"/api/label/{project}/next")
    answer = client.post(f"/api/label/{project}/{path}", json=body)
    assert answer.status_code == status
    if status == 409:
        assert answer.json()["error"].endswith(".")
    assert votes.standing(studio, project) == []


def test_nobody_votes_on_what_another_is_shown(client: TestClient, studio: Studio, project: int) -> None:
    item = client.get(f"/api/label/{project}/next").json()["item"]["id"]
    stolen = client.post(
        f"/api/label/{project}/vote", json={"item": item, "verdict": "left"}, headers={"x-name": "ben"}
    )
    assert stolen.status_code == 409 and votes.standing(studio, project) == []
    assert client.get("/api/label/77/next").status_code == 409


def test_answers_are_rendered_and_cannot_act() -> None:
    shown = str(rendered(HOSTILE))
    assert "<script" not in shown and "<img" not in shown and "<a" not in shown
    assert "&lt;script&gt;" in shown  # It is read, not run.
    assert "<strong>b</strong>" in rendered("**b**") and "<math" in rendered("$x^2$")
    assert "<td>b</td>" in rendered("|a|\n|-|\n|b|")
    odd = ("$\\frac{1}{$", "```\nopen", "#" * 9000, "> " * 3000, "$$" * 500, "\x00\ufeff\u202e", "*a " * 4000)
    for text in odd:
        assert "<script" not in rendered(text)
    assert "href" not in rendered("<https://evil.example> [a]: http://x\n[a]")
    assert "<code>" in rendered("$\\undefined{$")


def test_differences_join_to_the_texts() -> None:
    one, other = "I am Deep Dulo, 你好世界!", "I am Dulo, 你好中国!"
    left, right = difference(one, other)
    assert "".join(text for _, text in left) == one and "".join(text for _, text in right) == other
    assert [text for only, text in left if only] == [" Deep", "世界"]
    assert difference("a " * 5000, "b") == ([(False, "a " * 5000)], [(False, "b")])


def test_while_answers_are_being_written_more_is_coming(client: TestClient, studio: Studio) -> None:
    model = registry.add(studio, str(save_llama(studio.settings.models / "tiny"))).name
    prompts = [NewPrompt([{"role": "user", "content": f"say {n}"}]) for n in range(8)]
    one, job = making.create(
        studio, "made", prompts, [AnswerSource(model=model)] * 2, settings={"held_out": 0.0}
    )
    none = client.get(f"/api/label/{one.id}/next").json()
    assert none["item"] is None and none["coming"]
    with studio.db.write() as session:
        row = session.get_one(Job, job.id)
        row.state, row.finished_at = "cancelled", clock.now()
    assert not client.get(f"/api/label/{one.id}/next").json()["coming"]


def test_while_two_models_are_compared_nobody_learns_who_wrote_what(
    client: TestClient, studio: Studio, project: int
) -> None:
    given = {"verdict": "left"}
    first = client.get(f"/api/label/{project}/next").json()["item"]["id"]
    assert client.post(f"/api/label/{project}/vote", json={"item": first, **given}).json()["last"]["sources"]
    client.post(f"/api/label/{project}/undo", json={})
    client.post(f"/api/label/{project}/vote", json={"item": first, **given})
    assert [vote.value for vote in votes.standing(studio, project)] == [{"open": True}]  # They had been told.

    round = projects.create(studio, "round", settings={"repeats": 0.0}, round={"project": project})
    prompt = [{"role": "user", "content": "q"}]
    items.add(studio, round.id, [NewItem(prompt, [Answer("yes", "before"), Answer("no", "after")])])
    one = client.get(f"/api/label/{round.id}/next").json()["item"]["id"]
    said = client.post(f"/api/label/{round.id}/vote", json={"item": one, **given})
    assert said.json()["last"]["sources"] == [] and "after" not in said.text
    client.post(f"/api/label/{round.id}/undo", json={})
    client.post(f"/api/label/{round.id}/vote", json={"item": one, **given})
    assert [vote.value for vote in votes.standing(studio, round.id)] == [{}]


def test_a_name_that_is_taken_gets_a_number(studio: Studio, project: int) -> None:
    assert [projects.free_name(studio, name) for name in ("p", "q")] == ["p-2", "q"]
