"""What a method takes, what could be converted for it, and what a form goes back to."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio_core import methods, training
from studio_core.base.errors import BadInput
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.data import versions
from studio_core.data.naming import LONGEST
from studio_core.data.shapes import Shape
from studio_core.data.versions import Made
from studio_core.methods import METHODS
from studio_core.runs import queue
from studio_core.training.datasets import Conversion
from tests.unit.studio_core.training.runs import chat, imported, run_to


def offered(studio: Studio, method: str) -> list[tuple[str, str]]:
    return [(way.dataset.name, way.to.value) for way in training.conversions(studio, method)]


def made_of(studio: Studio, job: Job, shape: Shape, folder: Path) -> Dataset:
    """The version that a conversion makes, registered as the engine does it."""
    partial = folder / "partial.parquet"
    parent = versions.get(studio, job.spec["datasets"][0])
    partial.write_bytes(versions.parquet_path(studio, parent).read_bytes())
    described = Made(
        job.spec["result"], shape, 10, "a" * 64, "", operation="convert", parents=[parent.id], job_id=job.id
    )
    return versions.add(studio, partial, described)[0]


def test_prompts_alone_have_no_answers_and_are_learnt_from_by_rewards_only(studio: Studio) -> None:
    assert [shape for shape in Shape if not training.has_answers(shape)] == [Shape.PROMPT_ONLY]
    assert all(method.rewards for method in methods.learning_from(Shape.PROMPT_ONLY))


def test_what_can_be_converted_is_offered_to_each_method(
    studio: Studio, sums: Dataset, pairs: Dataset
) -> None:
    assert offered(studio, "kto") == [
        ("pairs", "unpaired-preference")
    ]  # Of chats nobody said that one is bad.
    assert offered(studio, "sft") == [("pairs", "chat")]
    assert offered(studio, "dpo") == offered(studio, "reward") == []


def test_only_the_newest_version_is_offered_and_no_empty_one(
    studio: Studio, pairs: Dataset, tmp_path: Path
) -> None:
    rows = [{"prompt": f"{n}?", "chosen": "a", "rejected": "b"} for n in range(3)]
    newer = imported(studio, "pairs", rows, tmp_path)
    assert [way.dataset.id for way in training.conversions(studio, "kto")] == [newer.id]
    with studio.db.write() as session:
        session.get_one(Dataset, newer.id).rows = 0
    assert training.conversions(studio, "kto") == []


def test_one_click_converts_once_and_the_result_is_offered_no_more(
    studio: Studio, pairs: Dataset, tmp_path: Path
) -> None:
    job = training.convert_for(studio, pairs.id, "kto")
    assert training.convert_for(studio, pairs.id, "kto").id == job.id
    assert (job.method, job.spec["datasets"]) == ("convert", ["pairs@1"])
    assert job.spec["options"] == {"shape": "unpaired-preference"}
    assert training.converted(studio, job) is None
    made = made_of(studio, job, Shape.UNPAIRED_PREFERENCE, tmp_path)
    ended = run_to(studio, job, State.SUCCEEDED, steps=20)
    found = training.converted(studio, ended)
    assert found is not None and found.id == made.id and found.name == "pairs-unpaired-preference"
    assert offered(studio, "kto") == []
    assert versions.get(studio, "pairs").shape == Shape.PREFERENCE  # Whoever names it finds it as it was.
    with pytest.raises(BadInput, match="needs no conversion"):
        training.convert_for(studio, made.id, "kto")


def test_what_cannot_be_converted_says_why(studio: Studio, sums: Dataset) -> None:
    with pytest.raises(BadInput, match="sums has chat records, but KTO needs unpaired-preference"):
        training.convert_for(studio, sums.id, "kto")
    with pytest.raises(BadInput, match="no dataset"):
        training.convert_for(studio, 4711, "kto")


def test_a_conversion_that_failed_made_nothing(studio: Studio, pairs: Dataset) -> None:
    job = training.convert_for(studio, pairs.id, "kto")
    ended = run_to(studio, job, State.FAILED, steps=1)
    with pytest.raises(BadInput, match="made no dataset"):
        training.converted(studio, ended)


def test_the_name_of_a_result_is_never_too_long(pairs: Dataset) -> None:
    pairs.name = "p" * LONGEST
    assert len(Conversion(pairs, Shape.UNPAIRED_PREFERENCE).result) == LONGEST


def test_a_form_goes_back_to_what_was_chosen_last_and_fits() -> None:
    chosen = training.remember([], "chats@1")
    chosen = training.remember(chosen, "pairs@1")
    chosen = training.remember(chosen, None)  # A method that takes neither left the field empty.
    assert chosen == ["pairs@1", "chats@1"]
    assert training.returned(chosen, ["other@1", "chats@1"]) == "chats@1"
    assert training.returned(chosen, ["chats@1", "pairs@1"]) == "pairs@1"
    assert training.returned(chosen, ["other@1"]) == ""
    assert training.remember(chosen, "chats@1") == ["chats@1", "pairs@1"]
    many = training.remember([f"d{n}@1" for n in range(100)], "new@1")
    assert many[0] == "new@1" and len(many) == 20


def test_recipes_train_with_what_every_studio_has(studio: Studio) -> None:
    from studio_core.data import store

    store.ensure_samples(studio)
    assert {recipe.method for recipe in training.RECIPES} <= METHODS.keys()
    for recipe in training.RECIPES:
        job = training.start(studio, recipe.name, "once")
        assert job is not None and job.spec["dataset"].startswith(f"{recipe.dataset}@")
        assert (job.method, job.spec["model"]) == (recipe.method, recipe.model)
        again = training.start(studio, recipe.name, "once")
        assert again is not None and again.id == job.id
    assert len(queue.all_jobs(studio, kind="train")) == len(training.RECIPES)


def test_a_recipe_that_the_plan_blocks_does_not_start(studio: Studio) -> None:
    assert training.start(studio, "sft", "once") is None  # Its dataset is not there.
    assert queue.all_jobs(studio) == []
    with pytest.raises(BadInput, match="no recipe"):
        training.start(studio, "rlhf", "once")


def test_a_wish_becomes_a_training_that_fits(
    studio: Studio, sums: Dataset, pairs: Dataset, tmp_path: Path
) -> None:
    first = training.spec_for(studio, {})
    assert (first.method, first.model, first.dataset, first.preset) == (
        "sft",
        "tiny-base",
        "sums@1",
        "balanced",
    )
    assert training.spec_for(studio, {"dataset": "pairs"}).method == "dpo"
    kept = training.spec_for(studio, {"method": "kto", "dataset": "pairs", "tuning": "lora", "preset": "x"})
    assert (kept.method, kept.dataset, kept.tuning, kept.preset) == ("kto", "", "lora", "balanced")
    asked = imported(studio, "asked", [chat("Hi?", "Ho.")], tmp_path)
    assert training.spec_for(studio, {"dataset": f"asked@{asked.version}"}).dataset == "asked@1"
    with pytest.raises(BadInput, match="no dataset"):
        training.spec_for(studio, {"dataset": "nowhere"})
