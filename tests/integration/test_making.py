"""Answers to be judged, written by a real worker on a miniature model, stored exactly once whatever happens."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from jobs.engine.ingest import Ingest
from studio_core.base import clock
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, LabelItem
from studio_core.curation import making as data_jobs
from studio_core.generation import services
from studio_core.generation.answer_jobs import AnswerSource
from studio_core.labeling import items, making, projects
from studio_core.labeling.making import NewPrompt
from studio_core.models import registry
from studio_core.runs import run_folder
from tests.conftest import wait_until
from tests.fake_service import fake_service, reply
from tests.integration.miniature import miniature_model
from tests.integration.test_generation import begun, made_here, result

SHORT = {"max_tokens": 6, "temperature": 1.0}
ALL = {"held_out": 0.0}


@pytest.fixture
def tiny(studio: Studio) -> str:
    return registry.add(studio, miniature_model(studio.settings.models / "tiny").path).name


def prompts(count: int) -> list[NewPrompt]:
    return [NewPrompt([{"role": "user", "content": f"say {n}"}]) for n in range(count)]


def ingest(studio: Studio, job: Job) -> None:
    Ingest(studio, job.id, Path(job.run_dir or ""), 0).drain()


def of(studio: Studio, project: int) -> list[LabelItem]:
    return list(items.page(studio, project, limit=1000))


def told_of(job: Job, type: str) -> int:
    """Events of a type that a worker has written."""
    file = Path(job.run_dir or "") / run_folder.EVENTS
    return file.read_text().count(f'"type": "{type}"') if file.exists() else 0


def told(job: Job) -> int:
    return told_of(job, "item")


def test_one_model_at_two_temperatures_makes_pairs_at_once_in_growing_batches(
    studio: Studio, tiny: str
) -> None:
    sources = [AnswerSource(model=tiny, **{**SHORT, "temperature": t}) for t in (0.0, 1.5)]
    project, job = making.create(studio, "two", prompts(30), sources, settings={"held_out": 0.3})
    assert [source["name"] for source in project.sources] == [f"{tiny} at 0", f"{tiny} at 1.5"]
    assert not job.spec["light"] and making.is_under_way(studio, project)
    made_here(studio, job)
    ingest(studio, job)
    ingest(studio, job)  # What was stored once is not stored again.
    counts = projects.get(studio, project.id).counts
    made = of(studio, project.id)
    assert counts["held_out"] > 0 and sum(counts.values()) == 30 and len(made) == counts["added"] > 5
    assert {answer["model"] for item in made for answer in item.answers} == {registry.get(studio, tiny).id}
    assert all([a["source"] for a in item.answers] == [f"{tiny} at 0", f"{tiny} at 1.5"] for item in made)
    held_out = {prompt.messages[0]["content"] for prompt in making.prompts_of(studio, project, True)}
    assert len(held_out) == counts["held_out"]
    assert not held_out & {item.prompt[0]["content"] for item in made}


def test_the_same_source_twice_draws_other_answers(studio: Studio, tiny: str) -> None:
    project, job = making.create(
        studio, "same", prompts(5), [AnswerSource(model=tiny, **SHORT)] * 2, settings=ALL
    )
    made_here(studio, job)
    ingest(studio, job)
    assert projects.get(studio, project.id).counts["added"] == 5
    assert [source["name"] for source in project.sources] == [tiny, f"{tiny} (2)"]


def test_best_and_worst_under_a_reward(studio: Studio, tiny: str) -> None:
    source = AnswerSource(model=tiny, best_of=6, reward="shorter", setting="20", **SHORT)
    project, job = making.create(studio, "best", prompts(6), [source], settings=ALL)
    made_here(studio, job)
    ingest(studio, job)
    made = of(studio, project.id)
    counts = projects.get(studio, project.id).counts
    assert len(made) + counts.get("identical", 0) + counts.get("same_score", 0) + counts.get("empty", 0) == 6
    for item in made:
        best, worst = item.answers
        assert (best["source"], worst["source"]) == (f"{tiny}: best", f"{tiny}: worst")
        assert len(best["text"]) < len(worst["text"])


def test_what_a_reward_fails_on_is_counted_and_ends_no_job(studio: Studio, tiny: str) -> None:
    source = AnswerSource(model=tiny, best_of=6, reward="number", **SHORT)
    project, job = making.create(studio, "unscored", prompts(4), [source], settings=ALL)
    made_here(studio, job)
    ingest(studio, job)
    counts = projects.get(studio, project.id).counts
    assert counts["unscored"] > 0 and not of(studio, project.id)
    assert counts["unscored"] + counts.get("identical", 0) == 4


def in_balance(studio: Studio, project: int) -> bool:
    """Whether each pair of three sources was asked three times; a miniature now and then says nothing, or the same."""
    pairs = Counter(tuple(answer["source"] for answer in item.answers) for item in of(studio, project))
    counts = projects.get(studio, project).counts
    dropped = counts.get("empty", 0) + counts.get("identical", 0)
    most = dict.fromkeys(combinations("ABC", 2), 3)
    return pairs <= Counter(most) and sum(pairs.values()) + dropped == 9 and dropped < 3


def test_three_sources_take_turns_in_balance_and_every_pair_if_asked(studio: Studio, tiny: str) -> None:
    sources = [AnswerSource(name=n, model=tiny, seed=s, **SHORT) for s, n in enumerate("ABC")]
    turns, job = making.create(studio, "turns", prompts(9), sources, settings=ALL)
    made_here(studio, job)
    ingest(studio, job)
    assert in_balance(studio, turns.id)
    every, job = making.create(studio, "every", prompts(3), sources, settings=ALL, every_pair=True)
    made_here(studio, job)
    ingest(studio, job)
    assert in_balance(studio, every.id)
    ranked, job = making.create(studio, "ranked", prompts(2), sources, settings=ALL, mode="rank")
    made_here(studio, job)
    ingest(studio, job)
    assert all(len(item.answers) == 3 for item in of(studio, ranked.id))


def test_one_answer_to_be_corrected_and_further_prompts(studio: Studio, tiny: str) -> None:
    settings = {**ALL, "correct": True}
    source = AnswerSource(model=tiny, system="Be brief.", **SHORT)
    project, job = making.create(studio, "own", prompts(4), [source], mode="rate", settings=settings)
    made_here(studio, job)
    ingest(studio, job)
    assert all(item.prompt[0]["role"] == "system" for item in of(studio, project.id))
    with pytest.raises(Exception, match="still generating"):
        making.more(studio, project.id, prompts(6))
    studio_state(studio, job, "succeeded")
    further = making.more(studio, project.id, prompts(6))
    made_here(studio, further)
    ingest(studio, further)
    counts = projects.get(studio, project.id).counts
    assert counts["added"] + counts.get("empty", 0) == 6 and counts["added"] > 3


def test_another_model_answers_the_same_prompts_again_and_held_out_ones_stay_so(
    studio: Studio, tiny: str
) -> None:
    sources = [AnswerSource(model=tiny, **{**SHORT, "temperature": t}) for t in (0.0, 1.5)]
    project, job = making.create(studio, "next", prompts(12), sources, settings={"held_out": 0.5})
    made_here(studio, job)
    ingest(studio, job)
    studio_state(studio, job, "succeeded")
    held_out = list(making.prompts_of(studio, project, True))
    other = registry.add(studio, miniature_model(studio.settings.models / "other").path).name
    again = making.more(studio, project.id, sources=[AnswerSource(model=other, **SHORT) for _ in range(2)])
    made_here(studio, again)
    ingest(studio, again)
    after = projects.get(studio, project.id)
    assert [source["model"] for source in after.sources] == [other, other]
    assert {a["model"] for item in of(studio, project.id) for a in item.answers} == {
        registry.get(studio, name).id for name in (tiny, other)
    }
    assert list(making.prompts_of(studio, after, True)) == held_out
    assert len(list(making.prompts_of(studio, after))) == 12
    assert not {items.prompt_hash(one.messages) for one in held_out} & {
        item.prompt_hash for item in of(studio, project.id)
    }


def studio_state(studio: Studio, job: Job, state: str) -> None:
    with studio.db.write() as session:
        row = session.get_one(Job, job.id)
        row.state, row.finished_at = state, clock.now()


def test_killed_in_the_middle_and_resumed_no_item_is_lost_or_doubled(studio: Studio) -> None:
    with fake_service(lambda document, before: (200, reply(f"answer {before}"), {})) as service:
        service.delay = 0.05
        services.add(studio.settings.home / services.FILE, "far", service.address, "big", "key")
        sources = [AnswerSource(name=name, service="far", **SHORT) for name in "AB"]
        project, job = making.create(studio, "killed", prompts(40), sources, settings=ALL)
        assert job.spec["light"]
        worker = begun(job)
        wait_until(lambda: told(job) >= 8 or worker.poll() is not None, what="eight items")
        worker.kill()
        worker.wait()
        ingest(studio, job)
        before = len(of(studio, project.id))
        assert 8 <= before < 40
        studio_state(studio, job, "failed")
        service.delay = 0.0
        again = data_jobs.resume(studio, job.id)
        assert making.job_of(studio, projects.get(studio, project.id)).id == again.id  # type: ignore[union-attr]
        made_here(studio, again)
        ingest(studio, again)
        assert told(again) == 40 - told(job)
    counts = projects.get(studio, project.id).counts
    assert counts == {"added": 40} and len(of(studio, project.id)) == 40
    asked = Counter(json.dumps(document["messages"]) for document in service.asked)
    assert sum(asked.values()) <= 80 + 8  # Only what was on its way is asked again.


def test_stopped_and_resumed_it_goes_on_where_it_was(studio: Studio) -> None:
    with fake_service(lambda document, before: (200, reply(f"answer {before}"), {})) as service:
        service.delay = 0.1
        services.add(studio.settings.home / services.FILE, "far", service.address, "big", "key")
        sources = [AnswerSource(name=name, service="far", **SHORT) for name in "AB"]
        project, job = making.create(studio, "stopped", prompts(40), sources, settings=ALL)
        worker = begun(job)
        wait_until(lambda: told(job) >= 4 or worker.poll() is not None, what="four items")
        worker.terminate()
        assert worker.wait(240) == 0
        assert result(job)["state"] == "stopped"
        ingest(studio, job)
        before = projects.get(studio, project.id).counts
        assert before == {"added": len(of(studio, project.id))} and 4 <= before["added"] < 40
        studio_state(studio, job, "cancelled")
        service.delay = 0.0
        again = data_jobs.resume(studio, job.id)
        made_here(studio, again)
        ingest(studio, again)
    assert projects.get(studio, project.id).counts == {"added": 40}


def test_a_prompt_that_nobody_answers_is_counted_and_the_others_go_on(studio: Studio) -> None:
    def answer(document: dict[str, Any], before: int) -> tuple[int, Any, dict[str, str]]:
        if document["messages"][-1]["content"] == "say 0":
            return 400, {"error": {"message": "too long"}}, {}
        return 200, reply(f"answer {before}"), {}

    with fake_service(answer) as service:
        services.add(studio.settings.home / services.FILE, "far", service.address, "big", "key")
        sources = [AnswerSource(name=name, service="far", **SHORT) for name in "ABC"]
        project, job = making.create(studio, "some", prompts(7), sources, settings=ALL, every_pair=True)
        made_here(studio, job)
        ingest(studio, job)
    assert projects.get(studio, project.id).counts == {"added": 18, "failed": 1}
    assert result(job)["state"] == "succeeded"
