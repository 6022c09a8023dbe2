"""What another trainer made of a run comes back as a run of ours, and what is not its result is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from app.parts import run_view
from jobs.engine.ending import of_exit
from jobs.training import start
from studio_core import handover, training
from studio_core.base.atomic import read_json, write_json
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.settings import bundled_folder
from studio_core.base.states import Cause, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Device, Job, Model
from studio_core.handover import taking
from studio_core.handover.writing import hand_over
from studio_core.keeping import model_card
from studio_core.models import registry
from studio_core.runs import metrics, queue, run_folder
from studio_core.training import comparison
from tests.unit.studio_core.handover.folders import lora, state, whole
from tests.unit.studio_core.training.runs import spec

BASE = bundled_folder() / "models" / "tiny-chat"


@pytest.fixture
def folder(studio: Studio, sums: Dataset, pairs: Dataset) -> Path:
    """A run as it was handed over to axolotl, in a place that may be read."""
    job = training.submit(studio, spec(model="tiny-chat", tuning="lora", options={"max_steps": 6}))
    studio.settings.models.mkdir(exist_ok=True)
    place = studio.settings.models / "handed"
    hand_over(studio, job.id, handover.named("axolotl"), place)
    return place


def carried_out(studio: Studio, job: Job) -> tuple[Job, Model]:
    """As the engine and its worker do it."""
    run_dir = Path(str(job.run_dir))
    run_dir.mkdir(parents=True)
    write_json(run_dir / run_folder.SPEC, job.spec["run"])
    start.main(run_dir)
    lines = [*run_folder.new_lines(run_dir / run_folder.EVENTS, 0)]
    queue.set_devices(studio, [Device(id="data:0", kind="data", label="Data", memory=0)])
    claimed = queue.claim(studio, job.id, ["data:0"])
    assert claimed
    queue.mark_running(studio, claimed)
    result = metrics.store(studio, job.id, lines)[-1]
    model = registry.register_result(studio, job, result)
    ended = of_exit({"returncode": 0, "signal": None, "stop": None, "forced": False}, result, "")
    queue.finish(studio, claimed, ended.state, ended.cause, ended.detail)
    return queue.get(studio, job.id), model


def test_a_run_comes_back_with_curves_and_model(studio: Studio, folder: Path) -> None:
    state(folder)
    lora(folder / "output", BASE, auto_mapping={"parent_library": "os"})
    (folder / "output" / "training_args.bin").write_bytes(b"cos\nsystem\n")
    job, model = carried_out(studio, taking.take_back(studio, str(folder), name="from-axolotl"))
    assert (job.state, job.cause, job.detail) == (State.SUCCEEDED, Cause.ELSEWHERE, "axolotl 0.19.0")
    assert (job.step, job.total_steps) == (4, 6)
    points = metrics.points(studio, job.id)
    assert [(point.step, point.values.get("loss")) for point in points] == [(2, 2.5), (4, None)]
    assert points[1].values["memory(GiB)"] == 7.25
    told = " ".join(metrics.sentence(note.body) for note in metrics.notes(studio, job.id, "notice"))
    assert "training_args.bin" in told and "not numbers: stage" in told
    # Its page: told as what it is, and what only that trainer measures has a chart of its own.
    head = run_view.header(studio, job, "en")
    assert "Trained elsewhere" in head and "axolotl 0.19.0, from run" in head and "/runs?run=1" in head
    assert "memory(GiB)" in [chart.name for chart in run_view.charts(job)]
    # The model: on the run's base, known for where it was made, with no class that the file named.
    assert (model.name, model.kind) == ("from-axolotl", "adapter")
    made, base = registry.lineage(studio, model)
    assert made.elsewhere == "axolotl" and base.model.name == "tiny-chat"
    assert "axolotl 0.19.0" in model_card.generated(studio, model, "en")
    files = {path.name for path in Path(model.path).iterdir()}
    assert files == {"adapter_model.safetensors", "adapter_config.json"}
    config = read_json(Path(model.path) / "adapter_config.json") or {}
    assert config["base_model_name_or_path"] == str(BASE) and config["auto_mapping"] is None


def test_a_complete_model_without_metrics_says_so(studio: Studio, folder: Path) -> None:
    whole(folder / "output" / "checkpoint-9", BASE)
    job, model = carried_out(studio, taking.take_back(studio, str(folder)))
    assert model.kind == "full" and model.parameters > 1_000_000
    assert taking.elsewhere(job) and job.total_steps is None
    assert metrics.warnings(studio, [job])[job.id][0]["key"] == "handover.notice.no_metrics"


def test_it_is_compared_with_the_run_that_was_trained_here(studio: Studio, folder: Path) -> None:
    state(folder)
    lora(folder / "output", BASE)
    job, _ = carried_out(studio, taking.take_back(studio, str(folder)))
    other = training.submit(studio, spec(model="tiny-chat"))
    lines = comparison.curves(studio, comparison.runs_of(studio, [other.id, job.id])).lines
    assert lines["loss"][job.id][0] == (2.0, 2.5)


def test_the_same_click_twice_is_one_run(studio: Studio, folder: Path) -> None:
    lora(folder / "output", BASE)
    first, again = (taking.take_back(studio, str(folder), key="click-1") for _ in range(2))
    assert first.id == again.id
    assert first.spec["light"] and first.spec["gpus"] == 1
    assert taking.take_back(studio, str(folder)).name != first.name


def _nothing(folder: Path) -> None:
    pass


def _pickled(folder: Path) -> None:
    lora(folder / "output", BASE)
    (folder / "output" / "adapter_model.safetensors").rename(folder / "output" / "adapter_model.bin")


def _linked(folder: Path) -> None:
    lora(folder / "output", BASE)
    (folder / "output" / "tokenizer.json").symlink_to("/etc/passwd")


def _wide(folder: Path) -> None:
    lora(folder / "output", whole(folder / "other", BASE))
    text = (folder / "output" / "adapter_model.safetensors").read_bytes()
    (folder / "output" / "adapter_model.safetensors").write_bytes(text.replace(b"q_proj", b"z_proj"))


def _cut(folder: Path) -> None:
    file = lora(folder / "output", BASE) / "adapter_model.safetensors"
    os.truncate(file, file.stat().st_size - 8)


@pytest.mark.parametrize(
    ("left", "sentence"),
    [
        (_nothing, "Train first"),
        (_pickled, "no weights"),
        (_linked, "may not read"),
        (_wide, "does not fit the base model tiny-chat"),
        (_cut, "incomplete"),
        (lambda folder: lora(folder / "output", BASE, peft_type="IA3"), "of type IA3"),
        (lambda folder: lora(folder / "output", BASE, megatron_config={"a": 1}), "megatron_config"),
        (lambda folder: whole(folder / "output", BASE, hidden_size=48), "hidden: 48"),
        (lambda folder: whole(folder / "output", BASE, auto_map={"AutoConfig": "a.B"}), "code"),
        (
            lambda folder: whole(folder / "output", BASE, architectures=["LlamaForSequenceClassification"]),
            "LlamaForSequenceClassification",
        ),
    ],
)
def test_what_is_no_result_of_the_run_is_refused(
    studio: Studio, folder: Path, left: Any, sentence: str
) -> None:
    left(folder)
    before = queue.oldest(studio)
    with pytest.raises(StudioError) as caught:
        taking.take_back(studio, str(folder))
    assert sentence in caught.value.sentence() and caught.value.sentence("zh-CN") != caught.value.sentence()
    assert [job.id for job in queue.all_jobs(studio)] == [before.id if before else None]


@pytest.mark.parametrize(
    ("changed", "given", "sentence"),
    [
        (None, {}, "has no handover.json"),
        ({"run": 77}, {}, "belongs to run 77"),
        ({"dataset_sha256": "abc"}, {}, "dataset_sha256 is abc there"),
        ({"base": "other"}, {"run": 1}, "base is other there, tiny-chat here"),
        ({"trainer": "torchtune"}, {}, "torchtune"),
        ({}, {"trainer": "verl"}, "written for axolotl, not for verl"),
    ],
)
def test_a_folder_of_another_run_is_refused(
    studio: Studio, folder: Path, changed: Any, given: Any, sentence: str
) -> None:
    lora(folder / "output", BASE)
    about = folder / "handover.json"
    if changed is None:
        about.unlink()
    else:
        about.write_text(json.dumps({**json.loads(about.read_text()), **changed}))
    with pytest.raises(StudioError) as caught:
        taking.take_back(studio, str(folder), **given)
    assert sentence in caught.value.sentence() and caught.value.sentence("zh-CN")


def test_a_folder_without_a_word_is_taken_once_run_and_trainer_are_named(
    studio: Studio, folder: Path
) -> None:
    lora(folder / "output", BASE)
    (folder / "handover.json").unlink()
    job = taking.take_back(studio, str(folder), run=1, trainer="llama-factory")
    there = taking.elsewhere(job)
    assert there and (there.trainer, there.run) == ("llama-factory", 1)


def test_folders_out_of_reach_are_not_looked_into(studio: Studio, folder: Path) -> None:
    with pytest.raises(BadInput):
        taking.take_back(studio, "/etc")
