from __future__ import annotations

from pathlib import Path

from studio_core import training
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.runs.spec import RunSpec
from tests.unit.studio_core.training.runs import chat, imported, spec


def test_the_row_holds_what_is_needed_to_run(studio: Studio, sums: Dataset) -> None:
    job = training.submit(studio, spec(options={"learning_rate": 0.002}, seed=3))
    run = RunSpec.model_validate(job.spec["run"])
    assert (job.kind, job.method, job.name) == ("train", "sft", "sft-tiny-base-1")
    assert (run.spec.name, run.spec.dataset, run.spec.seed) == ("sft-tiny-base-1", "sums@1", 3)
    assert run.options["learning_rate"] == 0.002 and run.options["batch_size"] == 8
    assert Path(run.dataset.path).is_file() and (Path(run.model.path) / "model.safetensors").is_file()
    assert run.resume_from is None
    assert training.spec_of(job) == run.spec


def test_names_go_on_counting(studio: Studio, sums: Dataset) -> None:
    names = [training.submit(studio, spec()).name for _ in range(2)]
    assert names == ["sft-tiny-base-1", "sft-tiny-base-2"]
    assert training.submit(studio, spec(name="  mine ")).name == "mine"


def test_one_click_twice_is_one_job(studio: Studio, sums: Dataset) -> None:
    first = training.submit(studio, spec(), key="click")
    assert training.submit(studio, spec(), key="click").id == first.id
    assert training.submit(studio, spec(), key="other").id != first.id


def test_fixed_prompts_are_spread_over_the_data(studio: Studio, tmp_path: Path) -> None:
    rows = [chat(f"Question {n}?", "Yes.", system="Be brief." if n % 2 else "") for n in range(80)]
    dataset = imported(studio, "mixed", [*rows, *rows], tmp_path)
    prompts = training.prompts_from(studio, dataset)
    assert prompts == ["Question 10?", "Question 30?", "Question 50?", "Question 70?"]
    job = training.submit(studio, spec(dataset="mixed", prompts=["Who are you?"]))
    assert job.spec["run"]["prompts"] == ["Who are you?"]


def test_prompts_of_each_shape(studio: Studio, tmp_path: Path, pairs: Dataset) -> None:
    texts = [{"text": f"The river {n} flows through the old town and on."} for n in range(3)]
    dataset = imported(studio, "texts", texts, tmp_path)
    assert training.prompts_from(studio, dataset)[0] == "The river 0 flows through the"
    assert training.prompts_from(studio, pairs)[0].startswith("Name ")
