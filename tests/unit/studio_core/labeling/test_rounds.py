"""Rounds: which models are compared, on which prompts, and what comes next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from studio_core.base.errors import BadInput, Conflict
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job, LabelProject, Model
from studio_core.curation.asking import with_system
from studio_core.data import store
from studio_core.labeling import (
    changing,
    exports,
    imports,
    items,
    making,
    outcomes,
    projects,
    rounds,
    trained,
)
from studio_core.labeling.items import is_held_out, prompt_hash
from studio_core.models import registry
from tests.unit.studio_core.labeling import comparing
from tests.unit.studio_core.labeling.comparing import asked, judged_at_once, pair

PROMPTS = [f"question {n}" for n in range(120)]
SHARE = 0.4


@pytest.fixture
def base(studio: Studio) -> Model:
    registry.ensure_demo_models(studio)
    return registry.get(studio, "tiny-chat")


@pytest.fixture
def questions(studio: Studio, tmp_path: Path) -> Dataset:
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS))
    return store.import_file(studio, file).dataset


@pytest.fixture
def root(studio: Studio, base: Model, questions: Dataset) -> LabelProject:
    """A project whose answers are there, and judged."""
    source = making.source_of("tiny-chat:0.3", seed=5, max_tokens=40)
    warmer = making.source_of("tiny-chat:0.9", seed=5, max_tokens=40)
    one, job = making.create(
        studio,
        "p",
        making.prompts_of_dataset(studio, questions),
        [source, warmer],
        settings={"held_out": SHARE, "repeats": 0.0, "votes": 1},
        guidelines="Be brief.",
        dataset_id=questions.id,
    )
    end(studio, job)
    taken = [prompt.messages[0]["content"] for prompt in making.prompts_of(studio, one, held_out=False)]
    items.add(studio, one.id, [pair(prompt, base, base) for prompt in taken])
    return one


def end(studio: Studio, job: Job | None) -> None:
    assert job is not None
    with studio.db.write() as session:
        row = session.get_one(Job, job.id)
        row.state, row.finished_at = State.SUCCEEDED, row.submitted_at


def vote(studio: Studio, one: LabelProject, after: Model | None = None, limit: int = 10**6) -> None:
    """Judge what is there: for the model after, or for the first answer."""

    def better(item: items.LabelItem) -> str:
        models = [answer["model"] for answer in item.answers]
        return "ab"[models.index(after.id)] if after else "a"

    judged_at_once(studio, one, better, limit=limit)


def of_round(studio: Studio, one: LabelProject) -> list[str]:
    return [prompt.messages[0]["content"] for prompt in making.prompts_of(studio, one)]


def written(studio: Studio, one: LabelProject, job: Job | None) -> list[str]:
    """As if the job had written the answers; the prompts of the round."""
    end(studio, job)
    before, after = (registry.get(studio, one.round[which]) for which in ("before", "after"))
    prompts = of_round(studio, one)
    items.add(studio, one.id, [pair(prompt, before, after) for prompt in prompts])
    return prompts


def prompts_in(studio: Studio, datasets: Sequence[Dataset]) -> set[str]:
    return {
        record["prompt"][0]["content"]
        for dataset in datasets
        for record in store.records(studio, dataset, limit=500)
    }


def test_no_prompt_is_compared_after_it_was_trained_on_over_all_rounds(
    studio: Studio, root: LabelProject, base: Model
) -> None:
    vote(studio, root)
    model, compared, seen = base, set[str](), set[str]()
    for number in (1, 2, 3):
        dataset, *_ = exports.make_dataset(studio, root.id)
        seen |= prompts_in(studio, [dataset])
        run, after = comparing.trained(studio, f"run-{number}", model, dataset)
        one, job = rounds.compare(studio, root.id, run.id, limit=12)
        asked_now = written(studio, one, job)
        assert len(asked_now) == len(set(asked_now)) == 12
        assert not set(asked_now) & seen and not set(asked_now) & compared
        assert all(is_held_out(prompt_hash(asked(prompt)), SHARE) for prompt in asked_now)
        assert (one.round["number"], one.round["before"], one.round["after"]) == (number, model.id, after.id)
        assert one.round["base"] == base.id and one.round["job"] == run.id
        vote(studio, one, after)
        compared |= set(asked_now)
        model = after
    dataset, *_ = exports.make_dataset(studio, root.id)
    assert compared <= prompts_in(studio, [dataset])  # Used up: it is trained on from then on.
    results = outcomes.results(studio, root)
    assert [one.found.wins for one in results] == [12, 12, 12]
    assert [one.number for one in results] == [1, 2, 3]

    run, after = comparing.trained(studio, "run-4", model, dataset)
    one, job = rounds.compare(studio, root.id, run.id, limit=500)
    left = written(studio, one, job)
    kept = {prompt for prompt in PROMPTS if is_held_out(prompt_hash(asked(prompt)), SHARE)}
    assert set(left) == kept - compared
    vote(studio, one, after)
    run, _ = comparing.trained(studio, "run-5", after, dataset)
    with pytest.raises(Conflict, match="no held-out prompts left") as refused:
        rounds.compare(studio, root.id, run.id)
    assert "40%" in str(refused.value)


def test_prompts_are_the_same_under_whatever_system_prompt(
    studio: Studio, base: Model, questions: Dataset
) -> None:
    sources = [making.source_of(f"tiny-chat:{t}", system="Be brief.") for t in (0.3, 0.9)]
    root, job = making.create(
        studio,
        "brief",
        making.prompts_of_dataset(studio, questions),
        sources,
        settings={"held_out": SHARE, "repeats": 0.0},
        dataset_id=questions.id,
    )
    end(studio, job)

    def answered(one: LabelProject, prompts: Sequence[str], before: Model, after: Model) -> None:
        """As the job writes it: the item says under which system prompt it was asked."""
        pairs = (pair(prompt, before, after) for prompt in prompts)
        added = [replace(item, prompt=with_system(item.prompt, "Be brief.")) for item in pairs]
        items.add(studio, one.id, added)
        vote(studio, one)

    taken = [one.messages[0]["content"] for one in making.prompts_of(studio, root, held_out=False)]
    answered(root, taken, base, base)
    model, compared = base, set[str]()
    for number in (1, 2):
        (dataset,) = exports.make_dataset(studio, root.id)
        assert dataset.rows == len(taken) + len(compared)
        run, after = comparing.trained(studio, f"brief-{number}", model, dataset)
        one, job = rounds.compare(studio, root.id, run.id, limit=10)
        end(studio, job)
        prompts = of_round(studio, one)
        assert not compared & set(prompts)
        answered(one, prompts, model, after)
        compared |= set(prompts)
        model = after
    assert rounds.left(studio, root) == len(PROMPTS) - len(taken) - 20


def test_both_answer_with_the_sampling_of_the_answers_judged_first(
    studio: Studio, root: LabelProject, base: Model
) -> None:
    changing.change(studio, root.id, {"votes": 3, "blind": False})
    vote(studio, root)
    dataset, *_ = exports.make_dataset(studio, root.id)
    run, _ = comparing.trained(studio, "run", base, dataset)
    one, job = rounds.compare(studio, "p", run.id, limit=4)
    assert job is not None and one.name == "p-round-1"
    first, second = one.sources
    assert (first["model"], second["model"]) == ("tiny-chat", "run")
    for source in one.sources:
        assert (source["temperature"], source["seed"], source["max_tokens"]) == (0.3, 5, 40)
    settings = projects.settings_of(one)
    assert settings.blind and settings.votes == 3 and settings.held_out == 0
    guidelines = projects.guidelines(studio, one.id)
    assert guidelines is not None and guidelines.text == "Be brief."
    with pytest.raises(Conflict, match="must stay hidden"):
        changing.change(studio, one.id, {"blind": False})
    with pytest.raises(Conflict, match="on held-out prompts"):
        making.more(studio, one.id, making.prompts_of_text("anything"))
    with pytest.raises(Conflict, match="on held-out prompts"):
        imports.from_dataset(studio, one.id, dataset)
    again, no_job = rounds.compare(studio, one.id, run.id)
    assert again.id == one.id and no_job is None
    # In the first round the model before is the base: that is one comparison, not two.
    assert rounds.compare(studio, "p", run.id, against="base")[0].id == one.id
    assert rounds.left(studio, root) > 20


def test_against_the_base_in_later_rounds(studio: Studio, root: LabelProject, base: Model) -> None:
    vote(studio, root)
    dataset, *_ = exports.make_dataset(studio, root.id)
    first, middle = comparing.trained(studio, "first", base, dataset)
    one, job = rounds.compare(studio, root.id, first.id, limit=5)
    written(studio, one, job)
    second, after = comparing.trained(studio, "second", middle, dataset)
    previous, job = rounds.compare(studio, root.id, second.id, limit=5)
    asked_already = written(studio, previous, job)
    with_base, job = rounds.compare(studio, root.id, second.id, against="base", limit=5)
    assert with_base.name == "p-round-2-base"
    assert (with_base.round["before"], with_base.round["after"]) == (base.id, after.id)
    assert not set(written(studio, with_base, job)) & set(asked_already)
    results = outcomes.results(studio, root)
    assert [(found.number, found.against) for found in results] == [
        (1, ("previous", "base")),
        (2, ("previous",)),
        (2, ("base",)),
    ]
    # Once no fresh ones are left, the same run is compared on those it was compared on with the other model.
    with_base, _ = rounds.compare(studio, root.id, second.id, against="base")
    job = rounds.more(studio, with_base.id, 500)
    all_of_base = of_round(studio, projects.get(studio, with_base.id))
    assert set(all_of_base[-5:]) == set(asked_already) and job.id == projects.get(studio, with_base.id).job_id


def test_a_share_that_was_changed_lets_no_trained_prompt_through(
    studio: Studio, root: LabelProject, base: Model
) -> None:
    vote(studio, root)
    dataset, *_ = exports.make_dataset(studio, root.id)
    run, _ = comparing.trained(studio, "run", base, dataset)
    with studio.db.write() as session:  # As in a database from before this was refused.
        row = session.get_one(LabelProject, root.id)
        row.settings = {**row.settings, "held_out": 0.5}
    one, job = rounds.compare(studio, root.id, run.id, limit=500)
    now = {prompt for prompt in PROMPTS if is_held_out(prompt_hash(asked(prompt)), 0.5)}
    trained_on = prompts_in(studio, [dataset])
    assert now & trained_on and set(written(studio, one, job)) == now - trained_on


def test_what_an_ancestor_was_trained_on_is_not_compared(
    studio: Studio, root: LabelProject, base: Model, tmp_path: Path
) -> None:
    kept = [prompt for prompt in PROMPTS if is_held_out(prompt_hash(asked(prompt)), SHARE)]
    file = tmp_path / "chats.jsonl"
    chats = [
        [*asked(kept[0]), {"role": "assistant", "content": "x"}],
        [
            *asked(kept[1].upper()),
            {"role": "assistant", "content": "y"},
            *asked("z"),
            {"role": "assistant", "content": "w"},
        ],
    ]
    file.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    taught = store.import_file(studio, file).dataset
    _, tuned = comparing.trained(studio, "taught", base, taught, "sft")
    vote(studio, root)
    dataset, *_ = exports.make_dataset(studio, root.id)
    run, _ = comparing.trained(studio, "run", tuned, dataset)
    one, _ = rounds.compare(studio, root.id, run.id, limit=500)
    assert set(of_round(studio, one)) == set(kept[2:])
    assert one.round["base"] == tuned.id


def test_a_run_on_something_else_is_not_compared(
    studio: Studio, root: LabelProject, base: Model, questions: Dataset
) -> None:
    vote(studio, root)
    dataset, *_ = exports.make_dataset(studio, root.id)
    other, _ = comparing.trained(studio, "other", base, questions, "sft")
    run, _ = comparing.trained(studio, "run", base, dataset)
    with pytest.raises(BadInput, match=f"Run {other.id} was not trained on votes of p. .*: {run.id}"):
        rounds.compare(studio, root.id, other.id)
    assert trained.project_of(studio, other) is None
    assert getattr(trained.project_of(studio, run), "id", None) == root.id
    with pytest.raises(BadInput, match="cannot be compared with"):
        rounds.compare(studio, root.id, run.id, against="best")
    with pytest.raises(BadInput, match="1 to 1000"):
        rounds.compare(studio, root.id, run.id, limit=0)
    with pytest.raises(BadInput, match="does not compare two models"):
        rounds.more(studio, root.id)


def test_a_dataset_made_of_the_votes_dataset_counts_as_well(
    studio: Studio, root: LabelProject, base: Model
) -> None:
    vote(studio, root)
    dataset, *_ = exports.make_dataset(studio, root.id)
    with studio.db.write() as session:
        session.add(
            Dataset(
                name="filtered", version=1, shape=dataset.shape, rows=dataset.rows, rejected=[],
                sha256=dataset.sha256, file=dataset.file, bytes=1, source="", mapping={},
                operation="filter", parents=[dataset.id], made={},
            )
        )  # fmt: skip
    filtered = store.get(studio, "filtered@1")
    run, _ = comparing.trained(studio, "run", base, filtered)
    comparing.trained(studio, "scorer", base, filtered, "reward")  # It writes no answers to compare.
    assert [job.id for job in trained.runs_of(studio, root)] == [run.id]
    assert rounds.compare(studio, root.id, run.id, limit=3)[1] is not None


def test_each_step_of_the_loop_follows_from_what_is_there(
    studio: Studio, root: LabelProject, base: Model
) -> None:
    def step() -> str:
        return rounds.next_step(studio, root, outcomes.results(studio, root)).name

    assert step() == "label"
    vote(studio, root, limit=5)
    assert step() == "label"
    vote(studio, root)
    assert step() == "train"
    assert getattr(rounds.model_to_train(studio, root), "name", None) == "tiny-chat"
    dataset, *_ = exports.make_dataset(studio, root.id)
    assert step() == "train"  # There is a version, and nothing was trained on it.
    run, after = comparing.trained(studio, "run", base, dataset)
    assert step() == "compare"
    one, job = rounds.compare(studio, root.id, run.id, limit=10)
    assert step() == "judge"
    written(studio, one, job)
    assert step() == "judge"
    vote(studio, one, after)
    assert step() == "train"
    assert getattr(rounds.model_to_train(studio, root), "id", None) == after.id
    dataset, *_ = exports.make_dataset(studio, root.id)
    run, worse = comparing.trained(studio, "again", after, dataset)
    one, job = rounds.compare(studio, root.id, run.id, limit=10)
    written(studio, one, job)
    vote(studio, one, after)  # For the one before.
    assert outcomes.result(studio, projects.get(studio, one.id)).found.outcome == "worse"
    assert getattr(rounds.model_to_train(studio, root), "id", None) == after.id != worse.id


def alike(studio: Studio, one: LabelProject, identical: int) -> outcomes.Result:
    """Both models wrote the same to so many prompts of the round."""
    with studio.db.write() as session:
        session.get_one(LabelProject, one.id).counts = {"identical": identical}
    return outcomes.result(studio, projects.get(studio, one.id))


def test_two_models_that_answer_alike_were_trained_too_little(
    studio: Studio, root: LabelProject, base: Model
) -> None:
    vote(studio, root)
    dataset, *_ = exports.make_dataset(studio, root.id)
    run, after = comparing.trained(studio, "run", base, dataset)
    asked_for = rounds.comparison(studio, root.id, run.id)
    left = rounds.prompts_left(studio, asked_for)
    assert left == len(list(rounds.prompts_for(studio, asked_for))) > 10
    one, job = rounds.compare(studio, root.id, run.id, limit=10)
    end(studio, job)
    found = alike(studio, one, 10)
    assert found.alike and rounds.next_step(studio, root, [found]).name == "alike"
    assert outcomes.describe(found) == (
        "Trained too little to tell the two apart: 10 of 10 answers were identical."
    )
    assert rounds.prompts_left(studio, asked_for, projects.get(studio, one.id)) == left - 10

    items.add(studio, one.id, [pair(prompt, base, after) for prompt in of_round(studio, one)[:3]])
    assert alike(studio, one, 3).alike and not alike(studio, one, 2).alike
    assert not alike(studio, one, 0).alike
    vote(studio, one, after)
    found = alike(studio, one, 7)
    assert outcomes.describe(found).startswith("run wins 3 of 3")
    assert outcomes.describe(found).endswith("7 of 10 answers were identical.")
    assert rounds.next_step(studio, root, [found]).name == "train"  # There are votes to train on.
