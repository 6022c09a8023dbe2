"""Work on data as rows: what is queued, and what becomes of its result, however often that is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.curation.main import main
from studio_core.base import atomic
from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Device, Job
from studio_core.curation import making
from studio_core.data import store, versions
from studio_core.models import registry
from studio_core.runs import queue, run_folder
from studio_core.runs.spec import DataSpec
from tests.unit.studio_core.models.folders import model_folder


@pytest.fixture
def dataset(studio: Studio, tmp_path: Path) -> Dataset:
    file = tmp_path / "mine.jsonl"
    rows = [{"prompt": "q" * n, "completion": "a"} for n in range(1, 11)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return store.import_file(studio, file).dataset


def spec(**given: Any) -> DataSpec:
    return DataSpec(
        **{"operation": "filter", "datasets": ["mine"], "options": {"min_characters": 6}, **given}
    )


def carried_out(studio: Studio, job: Job) -> dict[str, Any]:
    """The result of a job, worked out here instead of in a worker's process."""
    folder = Path(job.run_dir or "")
    folder.mkdir(parents=True)
    atomic.write_json(folder / run_folder.SPEC, job.spec["run"])
    main(folder)
    lines = (folder / run_folder.EVENTS).read_text().splitlines()
    return next(event for event in map(json.loads, lines) if event["type"] == "result")


def test_a_filter_makes_the_next_version_with_its_lineage(studio: Studio, dataset: Dataset) -> None:
    job = making.submit(studio, spec())
    assert (job.kind, job.method, job.name) == ("data", "filter", "filter mine")
    result = carried_out(studio, job)
    [made] = making.register_result(studio, job, result)
    assert (made.name, made.version, made.rows, made.shape) == ("mine", 2, 6, "prompt-completion")
    assert (made.operation, made.parents, made.job_id) == ("filter", [dataset.id], job.id)
    assert made.made["counts"] == {"kept": 6, "dropped": 4}
    assert made.made["options"]["min_characters"] == 6 and made.source == "mine@1"
    assert [len(r["prompt"][0]["content"]) for r in store.records(studio, made)] == [5, 6, 7, 8, 9, 10]
    assert making.register_result(studio, job, result)[0].id == made.id
    assert len(versions.all_datasets(studio)) == 2


def test_answers_are_scored_by_a_reward_model_only(studio: Studio, dataset: Dataset) -> None:
    registry.ensure_demo_models(studio)
    folder = model_folder(studio.settings.models / "rm", architectures=["LlamaForSequenceClassification"])
    registry.add(studio, str(folder))
    asked = {"model": "tiny-chat", "scored_by": "reward_model"}

    def best(**models: str) -> Job:
        return making.submit(studio, spec(operation="best_of", options={**asked, **models}))

    with pytest.raises(BadInput, match="tiny-base is not a reward model: it is a LlamaForCausalLM"):
        best(reward_model="tiny-base")
    with pytest.raises(BadInput, match="rm is a reward model: it scores answers and generates none"):
        best(model="rm", reward_model="rm")
    models = best(reward_model="rm").spec["run"]["models"]
    assert {option: model["name"] for option, model in models.items()} == {
        "model": "tiny-chat",
        "reward_model": "rm",
    }


def test_an_engine_that_died_between_file_and_row_registers_it_again(
    studio: Studio, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = making.submit(studio, spec(result="other"))
    result = carried_out(studio, job)
    with monkeypatch.context() as patched:
        patched.setattr(versions, "_row", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        patched.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(RuntimeError):
            making.register_result(studio, job, result)
    [made] = making.register_result(studio, job, result)
    assert (made.name, made.version, made.rows) == ("other", 1, 6)


def test_the_same_key_is_the_same_job(studio: Studio, dataset: Dataset) -> None:
    assert making.submit(studio, spec(), key="k").id == making.submit(studio, spec(), key="k").id


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        ({"operation": "sorcery"}, BadInput, "There is no operation sorcery"),
        ({"datasets": []}, BadInput, "takes one dataset, but 0 are given"),
        ({"datasets": ["mine", "mine"]}, BadInput, "takes one dataset, but 2 are given"),
        ({"datasets": ["nothing"]}, NotFound, "no dataset 'nothing'"),
        ({"options": {"min_characters": -1}}, BadInput, "min_characters"),
        ({"options": {"length": 3}}, BadInput, "length"),
        ({"options": {"matching": "("}}, BadInput, "is not a valid regular expression"),
        ({"result": "../up"}, BadInput, "is not allowed"),
    ],
)
def test_what_cannot_be_done_is_refused_before_it_is_queued(
    studio: Studio, dataset: Dataset, given: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        making.submit(studio, spec(**given))
    assert not queue.all_jobs(studio)


def test_it_takes_the_slot_for_data_beside_a_training(studio: Studio, dataset: Dataset) -> None:
    job = making.submit(studio, spec())
    slots = [Device(id=f"{kind}:0", kind=kind, label=kind, memory=0) for kind in ("cpu", "data", "serve")]
    assert [(found.id, taken[0].kind) for found, taken in queue.startable(studio, slots)] == [
        (job.id, "data")
    ]


def test_resuming(studio: Studio, dataset: Dataset) -> None:
    job = making.submit(studio, spec())
    with pytest.raises(Conflict):
        making.resume(studio, job.id)
    queue.request_stop(studio, job.id, "cancel")
    assert queue.get(studio, job.id).state == State.CANCELLED
    again = making.resume(studio, job.id)
    assert again.resumes_id == job.id and again.spec["run"]["resumed"] == job.run_dir
    making.register_result(studio, again, carried_out(studio, again))
    assert versions.get(studio, "mine").version == 2


def test_results_that_point_outside_are_refused(studio: Studio, dataset: Dataset, tmp_path: Path) -> None:
    job = making.submit(studio, spec())
    output = {"file": "../../datasets/x", "suffix": "", "shape": "text", "rows": 1, "sha256": "0" * 64}
    with pytest.raises(BadInput, match="is missing"):
        making.register_result(studio, job, {"outputs": [output]})
    with pytest.raises(BadInput, match="is missing"):
        making.register_result(studio, job, {"side_files": {"../spec.json": "x"}})
