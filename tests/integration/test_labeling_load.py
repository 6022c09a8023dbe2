"""Annotators at work over HTTP, all at once: nothing is given twice; and a studio that is killed loses nothing."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select

from studio_core.base.studio import open_studio
from studio_core.base.tables import Lease
from studio_core.labeling import votes
from tests.bench.labeling_load import Load, cookies, fill
from tests.browser.conftest import Served, free_port, start_web, stop_engine
from tests.conftest import wait_until
from tests.people import cheap_hashes

__all__ = ["cheap_hashes"]
PEOPLE = 6


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home, port = tmp_path_factory.mktemp("load") / "home", free_port()
    web = start_web(home, port)
    studio = open_studio(home=home)
    yield Served(f"http://127.0.0.1:{port}", studio, web)
    studio.close()
    stop_engine(home)


@pytest.fixture(scope="module")
def known(served: Served, cheap_hashes: None) -> list[dict[str, str]]:
    return cookies(served.studio, PEOPLE, urlsplit(served.url).port or 0)


def test_a_crowd_is_given_nothing_twice_and_loses_no_vote(
    served: Served, known: list[dict[str, str]]
) -> None:
    """A few seconds of what ``tests/bench/bench_labeling.py`` does for ten minutes, as fast as it goes."""
    project = fill(served.studio, pairs=300, voted=100, people=PEOPLE)
    load = Load(served.studio, served.url, project, known, seconds=4, think=0)
    load.run()
    assert load.failures == []
    assert load.standing > PEOPLE


class Annotator(threading.Thread):
    """Votes and enters drafts as fast as it can, and remembers what was acknowledged."""

    def __init__(self, address: str, project: int, cookie: dict[str, str]) -> None:
        super().__init__()
        self.address, self.cookie = f"{address}/api/label/{project}/", cookie
        self.votes: dict[int, str] = {}
        self.draft: tuple[int, str] = (0, "")

    def run(self) -> None:
        with suppress(httpx.TransportError), httpx.Client(cookies=self.cookie, timeout=20) as client:
            shown = client.get(self.address + "next").json()
            for turn in range(10_000):
                item = {"item": shown["item"]["id"]}
                comment = f"thought {turn}"
                kept = client.post(self.address + "draft", json={**item, "draft": {"comment": comment}})
                assert kept.status_code == 200
                self.draft = (item["item"], comment)
                answer = client.post(
                    self.address + "vote", json={**item, "verdict": "tie", "comment": comment}
                )
                assert answer.status_code == 200
                self.votes[item["item"]] = comment
                shown = answer.json()


def test_a_web_process_that_is_killed_loses_no_vote_and_no_draft(
    served: Served, known: list[dict[str, str]]
) -> None:
    project = fill(served.studio, pairs=3000, voted=0, people=PEOPLE, name="killed")
    people = [Annotator(served.url, project, cookie) for cookie in known]
    for one in people:
        one.start()
    wait_until(lambda: sum(len(one.votes) for one in people) > 30, what="votes were cast")
    os.kill(served.web.pid, signal.SIGKILL)
    served.web.wait(240)
    for one in people:
        one.join(240)
    acknowledged = {item: said for one in people for item, said in one.votes.items()}
    assert len(acknowledged) == sum(len(one.votes) for one in people)  # Nobody judged what another did.

    again = open_studio(home=served.studio.settings.home)
    kept = {vote.item_id: vote.comment for vote in votes.standing(again, project)}
    assert acknowledged.items() <= kept.items()
    # At most the one that was on its way for each of them may be there without having been acknowledged.
    assert len(kept) <= len(acknowledged) + PEOPLE
    with again.db.read() as session:
        drafts = {lease.item_id: lease.draft.get("comment") for lease in session.scalars(select(Lease))}
    for one in people:
        item, comment = one.draft
        assert drafts.get(item) == comment or kept.get(item) == comment
    again.close()

    web = start_web(served.studio.settings.home, urlsplit(served.url).port or 0)
    try:
        for one in people:
            shown = httpx.get(one.address + "next", cookies=one.cookie, timeout=20).json()
            item, comment = one.draft
            if item not in kept:
                assert (shown["item"]["id"], shown["item"]["draft"]) == (item, {"comment": comment})
    finally:
        web.terminate()
        web.wait(240)
