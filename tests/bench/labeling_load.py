"""Annotators at work on one project, over HTTP, each with an account of their own; and what must hold meanwhile."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import text

from studio_core.base import clock
from studio_core.base.studio import Studio
from studio_core.labeling import items, projects
from studio_core.labeling.items import Answer, NewItem
from studio_core.people import accounts, sign_in

PASSWORD = "a long password for nobody"
_ANSWER = (
    "The answer is **{n}**, for these reasons:\n\n1. `f({n})` holds, as $x^2 = {n}$ says.\n2. {filler}\n"
)
_WORDS = ["because", "therefore", "which shows that", "of the model", "a question", "is longer", "and so on"]

_VOTES = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :votes)
INSERT INTO label_vote (project_id, item_id, annotator, origin, verdict, value, reasons, comment, "order", seconds,
    guidelines, created_at)
SELECT :project, item.id, 'annotator-' || (i % :people), 'human', CASE i % 3 WHEN 0 THEN 'a' ELSE 'b' END, '{}', '[]',
    '', '[0, 1]', 9.5, 1, :now
FROM n JOIN label_item item ON item.project_id = :project AND item.number = n.i
"""
_VOTED = "UPDATE label_item SET votes = 1 WHERE project_id = :project AND number <= :votes"

# What must never be: more votes and live leases on an item than are wanted, or two votes of one person.
_BEYOND = """
SELECT item.id FROM label_item item JOIN label_lease lease ON lease.item_id = item.id
WHERE item.project_id = :project AND lease.until > :now AND lease.repeats_id IS NULL
GROUP BY item.id HAVING item.votes + count(*) > :wanted
"""
_TWICE = """
SELECT item_id FROM label_vote WHERE project_id = :project AND undone_at IS NULL AND superseded_by_id IS NULL
    AND repeats_id IS NULL AND verdict NOT IN ('skip', 'withdrawn')
GROUP BY item_id HAVING count(*) > :wanted OR count(*) > count(DISTINCT annotator)
"""
_STANDING = """
SELECT count(*) FROM label_vote WHERE project_id = :project AND undone_at IS NULL AND superseded_by_id IS NULL
    AND verdict <> 'withdrawn' AND id > :after AND annotator IN (SELECT value FROM json_each(:people))
"""


def fill(studio: Studio, pairs: int, voted: int, people: int, wanted: int = 1, name: str = "load") -> int:
    """A project of so many pairs, of which the first ``voted`` are judged already; its number."""
    project = projects.create(studio, name, settings={"votes": wanted}, guidelines="Prefer *facts*.")
    items.add(studio, project.id, _pairs(pairs))
    values = {"project": project.id, "votes": voted, "people": people, "now": clock.now()}
    with studio.db.write() as session:
        if voted:
            session.execute(text(_VOTES), values)
            session.execute(text(_VOTED), values)
    return project.id


def _pairs(count: int) -> Iterator[NewItem]:
    draw = random.Random(0)
    for n in range(count):
        said = [
            _ANSWER.format(n=n, filler=" ".join(draw.choices(_WORDS, k=draw.randrange(20, 120))))
            for _ in "ab"
        ]
        yield NewItem(
            [{"role": "user", "content": f"Question {n}?"}],
            [Answer(said[0], "one"), Answer(said[1], "other")],
        )


def cookies(studio: Studio, people: int, port: int) -> list[dict[str, str]]:
    """An account and a session for each annotator."""
    found = []
    accounts.add(studio, "first", "administrator", PASSWORD)
    for n in range(people):
        accounts.add(studio, f"annotator-{n}", "annotator", PASSWORD)
        _, cookie = sign_in.sign_in(studio, f"annotator-{n}", PASSWORD, f"10.0.0.{n}")
        found.append({f"tunesmith-{port}": cookie})
    return found


@dataclass
class Load:
    """So many people for so long. ``think``: seconds that each takes for a verdict, on average."""

    studio: Studio
    address: str
    project: int
    cookies: list[dict[str, str]]
    seconds: float
    think: float
    wanted: int = 1
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds of each request, by what it was."""
    failures: list[str] = field(default_factory=list)
    standing: int = 0
    """Votes that were answered, less those that were taken back."""

    def run(self) -> None:
        with self.studio.db.read() as session:
            last = session.scalar(text("SELECT coalesce(max(id), 0) FROM label_vote")) or 0
        self._until = time.monotonic() + self.seconds
        self._turn = threading.Lock()
        people = [threading.Thread(target=self._annotator, args=(n,)) for n in range(len(self.cookies))]
        for one in people:
            one.start()
        while any(one.is_alive() for one in people):
            time.sleep(min(1.0, self.seconds / 5))
            self._check(_BEYOND)
        self._check(_TWICE)
        with self.studio.db.read() as session:
            people = json.dumps([f"annotator-{n}" for n in range(len(self.cookies))])
            kept = session.scalar(text(_STANDING), {"project": self.project, "after": last, "people": people})
        if kept != self.standing:
            self.failures.append(f"{self.standing} votes were acknowledged, {kept} are kept")

    def _check(self, query: str) -> None:
        values = {"project": self.project, "wanted": self.wanted, "now": clock.now()}
        with self.studio.db.read() as session:
            self.failures += [
                f"item {item} is given beyond {self.wanted}"
                for (item,) in session.execute(text(query), values)
            ]

    def _annotator(self, n: int) -> None:
        draw = random.Random(n)
        with httpx.Client(base_url=self.address, cookies=self.cookies[n], timeout=60) as client:
            try:
                self._work(client, draw)
            except Exception as error:
                self.failures.append(f"annotator {n}: {error!r}")

    def _work(self, client: httpx.Client, draw: random.Random) -> None:
        time.sleep(self.think * draw.random())
        shown = self._ask(client, "next")
        while time.monotonic() < self._until and shown["item"]:
            time.sleep(self.think * draw.uniform(0.5, 1.5))
            item = {"item": shown["item"]["id"]}
            chance = draw.random()
            last = shown.get("last")
            if chance < 0.04 and last and last["verdict"] != "skip":  # What was skipped may be others' now.
                shown = self._ask(client, "undo", {})
                self._count(-1)
                continue
            if chance < 0.2:
                self._ask(
                    client, "draft", {**item, "draft": {"comment": "half a thought", "reasons": ["factual"]}}
                )
            verdict = draw.choice(("left", "right", "tie", "both_bad", "skip"))
            shown = self._ask(client, "vote", {**item, "verdict": verdict})
            self._count(1)

    def _count(self, by: int) -> None:
        with self._turn:
            self.standing += by

    def _ask(self, client: httpx.Client, action: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        began = time.perf_counter()
        path = f"/api/label/{self.project}/{action}"
        answer = client.get(path) if body is None else client.post(path, json=body)
        self.times[action].append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise RuntimeError(f"{action}: {answer.status_code} {answer.text[:200]}")
        return dict(answer.json())
