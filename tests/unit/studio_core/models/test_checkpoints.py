"""Checkpoints used as models: found, listed once something is built on them, kept as long as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from studio_core import training
from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.chat import chat_sides, chats
from studio_core.evaluation import checkpoints as measured
from studio_core.exports import submitting
from studio_core.keeping import deleting, marks, storage
from studio_core.keeping.chats import CHATS
from studio_core.keeping.models import MODELS
from studio_core.keeping.runs import RUNS
from studio_core.models import checkpoints, registry
from studio_core.runs import queue, run_folder
from studio_core.runs.spec import ExportSpec
from tests.unit.studio_core.training.runs import chat, imported, run_to, spec


@pytest.fixture
def poet(studio: Studio, tmp_path: Path) -> Model:
    """A full model with checkpoints of the steps 10, 20 and 40, and one that holds no model."""
    registry.ensure_demo_models(studio)
    imported(studio, "sums", (chat(f"{n}?", str(n)) for n in range(20)), tmp_path)
    job = run_to(studio, training.submit(studio, spec(name="poet")), State.SUCCEEDED, steps=40)
    folder = Path(str(job.run_dir))
    shutil.copytree(registry.get(studio, "tiny-base").path, folder / run_folder.MODEL)
    for step in (10, 20, 30, 40):
        kept = folder / run_folder.CHECKPOINTS / f"checkpoint-{step}"
        shutil.copytree(folder / run_folder.MODEL, kept)
        if step == 30:
            (kept / "config.json").unlink()
        run_folder.write_manifest(kept, step)
    return registry.register_result(studio, job, {"model": run_folder.MODEL, "kind": "full", "step": 40})


def test_the_name_of_a_checkpoint_is_read() -> None:
    steps = [checkpoints.step_of(name) for name in ("a@20", "a", "@3", "a@b", "m@x@7")]
    assert steps == [20, None, None, None, 7]


def test_a_checkpoint_is_found_and_not_listed(studio: Studio, poet: Model) -> None:
    found = registry.find(studio, "poet@20")
    assert (found.id, found.name, Path(found.path).name) == (None, "poet@20", "checkpoint-20")
    assert found.details["training"]["step"] == 20
    resolved = measured.resolve(studio, "poet@20")
    # What it reaches is a row of its model.
    assert (resolved.id, resolved.name, resolved.path) == (poet.id, "poet@20", found.path)
    assert measured.resolve(studio, "poet").path == poet.path
    with pytest.raises(NotFound):
        registry.get(studio, "poet@20")
    for name in ("poet@15", "poet@30"):
        with pytest.raises(BadInput, match="Its checkpoints: 10, 20, 40"):
            registry.find(studio, name)
    with pytest.raises(NotFound, match="nobody"):
        registry.find(studio, "nobody@20")
    names = [model.name for model in registry.offered(studio, also=["poet@20", "poet@15", "nobody@1"])]
    assert "poet@20" in names and not {"poet@15", "nobody@1"} & set(names)


def test_an_adapter_that_changed_its_base_is_no_model_before_its_end(studio: Studio, poet: Model) -> None:
    kept = Path(registry.find(studio, "poet@10").path)
    (kept / "adapter_config.json").write_text(json.dumps({"init_lora_weights": "pissa_niter_16"}))
    run_folder.write_manifest(kept, 10)
    assert [one.step for one in checkpoints.of_model(studio, poet)] == [20, 40]


def test_what_is_trained_from_a_checkpoint_stands_on_its_weights(studio: Studio, poet: Model) -> None:
    job = training.submit(studio, spec(model="poet@20", name="ode"))
    kept = registry.get(studio, "poet@20")
    assert (job.spec["model"], job.spec["run"]["model"]["path"]) == ("poet@20", kept.path)
    assert job.spec["run"]["model"]["id"] == kept.id
    job = run_to(studio, job, State.SUCCEEDED, steps=4)
    shutil.copytree(kept.path, Path(str(job.run_dir)) / run_folder.MODEL)
    child = registry.register_result(studio, job, {"model": run_folder.MODEL, "kind": "adapter"})
    # An adapter is loaded on the weights that it was trained on, and not on those of the end.
    assert registry.resolve(studio, child.name).path == kept.path
    assert checkpoints.KEY not in child.details
    lineage = [(one.model.name, one.job_id) for one in registry.lineage(studio, child)]
    assert lineage == [("ode", job.id), ("poet@20", poet.job_id), ("tiny-base", None)]


def test_a_conversation_lists_its_checkpoints_and_two_of_one_model_differ(
    studio: Studio, poet: Model
) -> None:
    assert chat_sides.checked(studio, "poet@10") == "poet@10"
    talk = chats.start(studio, ["poet@10", "poet@40", "poet"], chats.ChatSettings())
    assert len(set(talk.models)) == 3
    assert [chat_sides.value_of(studio, side) for side in talk.models] == ["poet@10", "poet@40", "poet"]
    asked = chat_sides.question(studio, talk.models[0], [])
    assert isinstance(asked, chat_sides.serving.Question) and asked.model.path.endswith("checkpoint-10")
    assert deleting.remove(studio, CHATS, [talk.id])


def test_an_export_of_a_checkpoint_is_that_of_its_files(studio: Studio, poet: Model) -> None:
    run = submitting.resolved(studio, ExportSpec(model="poet@20", format="merged", prompts=0))
    assert (run.model.name, Path(run.model.path).name) == ("poet@20", "checkpoint-20")


def test_a_checkpoint_that_is_a_model_is_kept(studio: Studio, poet: Model) -> None:
    steps = [old.step for old in storage.old_checkpoints(studio, 0)]
    assert steps == [10, 20, 30]
    kept = registry.find_or_add(studio, "poet@20")
    assert registry.find_or_add(studio, "poet@20").id == kept.id
    assert [old.step for old in storage.old_checkpoints(studio, 0)] == [10, 30]
    with pytest.raises(Conflict, match="used as models: poet@20"):
        deleting.remove(studio, RUNS, [int(str(poet.job_id))])
    # What is no model any more is the run's checkpoint as before.
    deleting.remove(studio, MODELS, [kept.id])
    assert Path(kept.path).is_dir()
    assert [old.step for old in storage.old_checkpoints(studio, 0)] == [10, 20, 30]


def test_a_checkpoint_is_renamed_with_its_model(studio: Studio, poet: Model) -> None:
    kept, other = registry.find_or_add(studio, "poet@20"), registry.get(studio, "tiny-chat")
    marks.rename(studio, MODELS, poet.id, "bard")
    assert registry.get(studio, "bard@20").id == kept.id
    marks.change(studio, MODELS, [poet.id], archived=True)
    names = [model.name for model in registry.offered(studio)]
    assert "bard" not in names and {"bard@20", other.name} <= set(names)
    assert "bard" in [model.name for model in registry.offered(studio, also=["bard"])]
    job = queue.get(studio, int(str(poet.job_id)))
    assert job.spec["name"] == "poet"
