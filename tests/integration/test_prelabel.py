"""A judge that judges in advance: both orders, exactly once, marked, and used only once it is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput, Conflict
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, LabelProject
from studio_core.curation import making as data_jobs
from studio_core.data import store
from studio_core.data.shapes import Message
from studio_core.generation import services
from studio_core.labeling import changing, exports, items, judges, projects, votes
from studio_core.labeling.assignment import next_item
from studio_core.labeling.items import Answer, NewItem
from studio_core.labeling.votes import Verdict
from studio_core.statistics.agreement_rate import SHARED
from tests.conftest import wait_until
from tests.fake_service import FakeService, fake_service, reply
from tests.integration.test_generation import add_scorer, begun, made_here, scores_by
from tests.integration.test_making import ingest, studio_state, told_of

PAIRS = 40


@pytest.fixture
def project(studio: Studio) -> LabelProject:
    """Pairs of which the first answer is the shorter one."""
    one = projects.create(studio, "pairs", settings={"repeats": 0.0, "held_out": 0.0})
    prompt: list[list[Message]] = [[{"role": "user", "content": f"question {n}"}] for n in range(PAIRS)]
    items.add(
        studio,
        one.id,
        (NewItem(said, [Answer("yes", "a"), Answer("yes, of course", "b")]) for said in prompt),
    )
    return one


def shortest(document: dict[str, Any], before: int) -> tuple[int, Any, dict[str, str]]:
    """Prefers the shorter answer, but the first one of question 3, cannot be read on question 5, and thinks
    nothing of the answers to questions 6 and 7, to 7 only if the shorter one comes first."""
    text = document["messages"][-1]["content"]
    first, second = (
        part.split(f"\nANSWER {name}>>>")[0]
        for name, part in zip("AB", text.split("<<<ANSWER ")[1:], strict=True)
    )
    if "question 5\n" in text:
        return 200, reply("I would rather not say."), {}
    if "question 3\n" in text:
        return 200, reply("A"), {}
    if "question 6\n" in text or ("question 7\n" in text and len(first) < len(second)):
        return 200, reply("Both bad."), {}
    if "question 7\n" in text:
        return 200, reply("tie"), {}
    return 200, reply("Answer A." if len(first) < len(second) else "**B**"), {}


def add(studio: Studio, service: FakeService) -> None:
    services.add(studio.settings.home / services.FILE, "far", service.address, "big", "key")


def vote(studio: Studio, project: LabelProject, count: int, wrong: int = 0) -> None:
    for n in range(count):
        shown = next_item(studio, project.id, "anna")
        assert shown is not None
        short = shown.order.index(0 if n >= wrong else 1)
        votes.cast(studio, project.id, "anna", shown.item.id, Verdict(("left", "right")[short]))


def judged(studio: Studio, project: LabelProject, **more: Any) -> Job:
    job = judges.start(studio, project.id, service="far", **more)
    made_here(studio, job)
    ingest(studio, job)
    studio_state(studio, job, "succeeded")
    return job


def test_judged_in_both_orders_measured_and_only_then_used(
    studio: Studio, project: LabelProject, tmp_path: Path
) -> None:
    with fake_service(shortest) as service:
        add(studio, service)
        vote(studio, project, SHARED - 3)
        judged(studio, project)
        asked = len(service.asked)
        assert asked == 2 * PAIRS
        [judge] = judges.of_project(studio, project)
        assert judge.counts == {"a": PAIRS - 4, "tie": 2, "both_bad": 1} and judge.swayed == 2
        # Of those that were judged by both, one was unreadable, two hung on the order, and one was no use to it.
        assert (judge.agreement.count, judge.agreement.of, judge.missing) == (SHARED - 7, SHARED - 4, 4)
        with pytest.raises(BadInput, match="4 more are needed"):
            exports.make_dataset(studio, project.id, judges=True)
        with pytest.raises(BadInput, match="4 more are needed"):
            changing.change(studio, project.id, {"judges": True})
        assert projects.get(studio, project.id).settings["judges"] is False
        vote(studio, project, 5, wrong=1)
        [judge] = judges.of_project(studio, project)
        assert judge.missing == 0 and judge.agreement.low < judge.agreement.rate < judge.agreement.high  # type: ignore[operator]
        assert judge.kappa is not None and judge.kappa < 0.7
        judged(studio, project)  # Only what it could not say anything of.
        assert len(service.asked) == asked
    changing.change(studio, project.id, {"judges": True})
    [dataset] = exports.make_dataset(studio, project.id)
    people = SHARED + 2
    assert dataset.made["counts"]["labelled_by_human"] == people
    assert dataset.made["counts"]["labelled_by_judge"] == PAIRS - people
    rows = list(store.records(studio, dataset, limit=PAIRS))
    assert [row["labelled_by"] for row in rows].count("judge") == PAIRS - people
    [plain] = exports.make_dataset(studio, project.id, judges=False)
    assert plain.rows == people and "labelled_by" not in next(iter(store.records(studio, plain, limit=1)))
    exports.write(studio, project.id, "audit", tmp_path / "audit.jsonl")
    origins = [json.loads(line)["origin"] for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert origins.count("judge") == PAIRS - 1 and origins.count("human") == people
    assert projects.get(studio, project.id).counts == {}


def test_killed_and_resumed_every_pair_is_judged_once(studio: Studio, project: LabelProject) -> None:
    with fake_service(shortest) as service:
        service.delay = 0.05
        add(studio, service)
        job = judges.start(studio, project.id, service="far", name="strict", rubric="Short is good.")
        with pytest.raises(Conflict):
            judges.start(studio, project.id, service="far", name="strict")
        worker = begun(job)
        wait_until(lambda: told_of(job, "verdict") >= 16 or worker.poll() is not None, what="some verdicts")
        worker.kill()
        worker.wait()
        ingest(studio, job)
        [judge] = judges.of_project(studio, project)
        assert judge.name == "strict" and 0 < sum(judge.counts.values()) < PAIRS
        studio_state(studio, job, "failed")
        service.delay = 0.0
        again = data_jobs.resume(studio, job.id)
        made_here(studio, again)
        ingest(studio, again)
        ingest(studio, job)
        assert "Short is good." in service.asked[0]["messages"][-1]["content"]
    [judge] = judges.of_project(studio, project)
    assert judge.counts == {"a": PAIRS - 4, "tie": 2, "both_bad": 1}
    assert told_of(job, "verdict") + told_of(again, "verdict") == PAIRS


def test_what_judges_are_not_for(studio: Studio, project: LabelProject) -> None:
    rating = projects.create(studio, "ratings", mode="rate")
    with pytest.raises(BadInput, match="mode rate"):
        judges.start(studio, rating.id, service="far")
    with pytest.raises(BadInput, match="exactly one"):
        judges.start(studio, project.id)
    with pytest.raises(BadInput, match="no judge"):
        exports.make_dataset(studio, project.id, judges=True)


def test_a_reward_model_judges_by_its_scores(studio: Studio, project: LabelProject) -> None:
    folder = add_scorer(studio, "scorer", 0)
    with pytest.raises(BadInput, match="scorer is a reward model: it scores answers and reads no criteria"):
        judges.start(studio, project.id, model="scorer", rubric="Short ones.")
    job = judges.start(studio, project.id, model="scorer")
    assert not job.spec["light"]
    made_here(studio, job)
    ingest(studio, job)
    studio_state(studio, job, "succeeded")
    texts = ["yes", "yes, of course"]
    prompts = [[{"role": "user", "content": f"question {n}"}] for n in range(PAIRS)]
    scores = scores_by(folder, [(prompt, text) for prompt in prompts for text in texts])
    first_wins = sum(a > b for a, b in zip(scores[::2], scores[1::2], strict=True))
    [judge] = judges.of_project(studio, project)
    assert (judge.name, judge.swayed) == ("scorer", 0)
    wanted = {"a": first_wins, "b": PAIRS - first_wins}
    assert judge.counts == {verdict: number for verdict, number in wanted.items() if number}
