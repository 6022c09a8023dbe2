"""A link to one run: what it shows, to whom, and what nobody reaches through it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.shared import BURST
from app.web import create_app
from studio_core.base import clock
from studio_core.base.errors import BadInput
from studio_core.base.states import Cause, State
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import Device, Job, RunLink
from studio_core.notices import links
from studio_core.people import accounts
from studio_core.runs import metrics, queue
from tests.people import add_all, cheap_hashes

__all__ = ["cheap_hashes"]
HOST = "http://127.0.0.1:7860"
HOSTILE = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, cheap_hashes: None) -> Iterator[Studio]:
    opened = open_studio(home=tmp_path_factory.mktemp("shared") / "home")
    add_all(opened)
    queue.set_devices(opened, [Device(id="cpu:0", kind="cpu", label="CPU", foreign_memory=0)])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def application(studio: Studio) -> FastAPI:
    return create_app(studio)


@pytest.fixture
def stranger(application: FastAPI) -> Iterator[TestClient]:
    """A browser without an account and without cookies, from an address that has asked for nothing yet."""
    layer: Any = application.middleware_stack or application
    assert layer
    address = (f"10.0.0.{next(_NUMBERS)}", 50000)
    with TestClient(application, base_url=HOST, follow_redirects=False, client=address) as client:
        yield client


_NUMBERS = iter(range(1, 250))


def trained(studio: Studio, name: str, state: State = State.SUCCEEDED, **end: Any) -> Job:
    spec = {"model": "demo-tiny", "dataset": "pairs@1", "device": "cpu", "secret_path": "/home/ann/private"}
    job = queue.submit(studio, kind="train", name=name, spec=spec, method="sft")
    claimed = queue.claim(studio, job.id, ["cpu:0"])
    assert claimed
    queue.mark_running(studio, claimed)
    at = clock.iso(clock.now())
    events = [
        {
            "seq": n,
            "at": at,
            "type": "metrics",
            "step": n,
            "total_steps": 8,
            "values": {"loss": 3.25 - 0.25 * n},
        }
        for n in range(1, 9)
    ]
    sample = {"step": 0, "when": "before", "index": 0, "prompt": f"who of {name}?", "answer": HOSTILE}
    values = {"reward": "mine", "error": "secret-error"}
    warning = {"at": at, "type": "notice", "level": "warning"}
    more = [
        {"seq": 9, "at": at, "type": "sample", **sample},
        {"seq": 10, **warning, "key": "methods.notice.not_finite", "values": {"step": 7}},
        {"seq": 11, **warning, "key": "methods.notice.reward_failed", "values": values},
    ]
    lines = [(n, json.dumps(event).encode()) for n, event in enumerate([*events, *more], 1)]
    metrics.store(studio, job.id, lines)
    queue.finish(studio, claimed, state, **end)
    return queue.get(studio, job.id)


def test_a_stranger_sees_the_run_and_nothing_else(studio: Studio, stranger: TestClient) -> None:
    other, job = trained(studio, "the-other-run"), trained(studio, f"mine {HOSTILE}")
    _, token = links.add(studio, job.id)
    shown = stranger.get(f"/shared/{token}")
    assert shown.status_code == 200 and shown.headers["cache-control"] == "no-store"
    assert "noindex" in shown.headers["x-robots-tag"] and "set-cookie" not in shown.headers
    assert "demo-tiny" in shown.text and "NaN or infinite at step 7" in shown.text
    points = re.search(r'id="shared-points">(.*?)</script>', shown.text, re.S)
    assert points and json.loads(points[1])["points"]["loss"][1][-1] == 1.25
    # Names and answers are text wherever they stand; what failed, paths, and other runs are not there.
    assert "alert(1)</script>" not in shown.text
    for secret in ("secret-error", "/home/ann", other.name, "who of", str(studio.settings.home)):
        assert secret not in shown.text
    # Nothing leads into the studio: no form, no link but to this page, no script of Gradio's.
    assert "gradio" not in shown.text.lower() and "<form" not in shown.text
    links_there = set(re.findall(r'href="([^"?]*)', shown.text)) - {f"/shared/{token}"}
    assert links_there and all(address.startswith("/static/") for address in links_there)


def test_the_token_opens_no_other_address(studio: Studio, stranger: TestClient) -> None:
    _, token = links.add(studio, trained(studio, "alone").id)
    stranger.cookies.set("tunesmith-7860", token)
    for path in (f"/runs?run=1&token={token}", "/api/status", f"/api/status?token={token}", "/config"):
        assert stranger.get(path).status_code in (303, 401)
    for path in (
        f"/shared/{token}/x",
        f"/shared/{token}/",
        "/shared/",
        "/shared",
        f"/shared/{token}%2f..%2fruns",
    ):
        assert stranger.get(path).status_code in (404, 307)
    for method in ("POST", "PUT", "DELETE"):
        answer = stranger.request(method, f"/shared/{token}", headers={"origin": HOST})
        assert answer.status_code in (404, 405)
    joined = stranger.post(
        "/gradio_api/queue/join", json={"fn_index": 0, "data": []}, headers={"origin": HOST}
    )
    assert joined.status_code == 401


def test_answers_only_where_they_were_ticked(studio: Studio, stranger: TestClient) -> None:
    job = trained(studio, "spoken")
    _, silent = links.add(studio, job.id)
    _, telling = links.add(studio, job.id, answers=True)
    assert "who of spoken?" not in stranger.get(f"/shared/{silent}").text
    told = stranger.get(f"/shared/{telling}").text
    assert "who of spoken?" in told and "<script>alert" not in told


def test_why_a_run_failed_is_told_in_the_studio_only(studio: Studio, stranger: TestClient) -> None:
    job = trained(studio, "bad", State.FAILED, cause=Cause.ERROR, detail="/home/ann/private.py line 3")
    _, token = links.add(studio, job.id)
    shown = stranger.get(f"/shared/{token}?lang=zh-CN")
    assert "private.py" not in shown.text and "任务失败。" in shown.text


def test_wrong_revoked_and_lost_links_look_alike(studio: Studio, stranger: TestClient) -> None:
    job, gone = trained(studio, "watched"), trained(studio, "gone")
    link, token = links.add(studio, job.id)
    tom = accounts.account_of(accounts.find(studio, "tom"))
    _, toms = links.add(studio, job.id, tom)
    _, lost = links.add(studio, gone.id)
    assert stranger.get(f"/shared/{token}").status_code == stranger.get(f"/shared/{toms}").status_code == 200
    links.revoke(studio, link.id)
    accounts.set_disabled(studio, "tom", True)
    with studio.db.write() as session:
        session.query(RunLink).filter_by(job_id=gone.id).update({"job_id": 10_000})
    addresses = (token, toms, lost, "A" * 43, "x", "%00", "a" * 5000)
    refused = [stranger.get(f"/shared/{one}") for one in addresses]
    unknown = stranger.get("/no-such-page")
    assert {(answer.status_code, answer.text) for answer in refused} == {(404, unknown.text)}
    assert {tuple(sorted(answer.headers)) for answer in refused} == {tuple(sorted(unknown.headers))}
    accounts.set_disabled(studio, "tom", False)
    assert stranger.get(f"/shared/{toms}").status_code == 200


def test_whoever_asks_too_often_is_refused_and_others_are_not(
    studio: Studio, stranger: TestClient, application: FastAPI
) -> None:
    _, token = links.add(studio, trained(studio, "asked").id)
    answers = {stranger.get(f"/shared/{'B' * 43}").status_code for _ in range(BURST + 10)}
    assert answers == {404, 429} and stranger.get(f"/shared/{token}").status_code == 429
    with TestClient(application, base_url=HOST, client=("10.9.9.9", 1)) as other:
        assert other.get(f"/shared/{token}").status_code == 200


def test_the_database_opens_no_link_and_remembers_who_made_it(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tunesmith.audit")
    ann = accounts.account_of(accounts.find(studio, "ann"))
    job = trained(studio, "kept")
    link, token = links.add(studio, job.id, ann, answers=True)
    assert token not in studio.settings.database.read_bytes().decode("latin-1")
    links.revoke(studio, link.id)
    (kept,) = links.of_run(studio, job.id)
    assert kept.by == "ann" and kept.revoked_at and kept.answers
    assert f"link {link.id} to run {job.id} made, with answers" in caplog.text and "revoked" in caplog.text
    assert token not in caplog.text
    other = queue.submit(studio, kind="data", name="x", spec={})
    with pytest.raises(BadInput, match="trainings only"):
        links.add(studio, other.id)
