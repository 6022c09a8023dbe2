from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from studio_core import training
from studio_core.base import clock
from studio_core.base.errors import Conflict, NotFound
from studio_core.base.settings import bundled_folder
from studio_core.base.states import State, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Deletion, Evaluation, Job, Model, Table
from studio_core.data import store, versions
from studio_core.keeping import deleting, marks
from studio_core.keeping.datasets import DATASETS
from studio_core.keeping.models import MODELS
from studio_core.keeping.runs import RUNS
from studio_core.keeping.thing import Thing
from studio_core.keeping.things import THINGS
from studio_core.models import registry
from studio_core.runs import metrics, queue
from tests.unit.studio_core.training.runs import chat, checkpoint, imported, run_to, spec


@pytest.fixture
def trained(studio: Studio, tmp_path: Path) -> Model:
    """A model with its run, whose reports, checkpoint, marks and evaluation are there."""
    registry.ensure_demo_models(studio)
    imported(studio, "sums", (chat(f"{n}?", str(n)) for n in range(20)), tmp_path)
    return train(studio)


def train(studio: Studio, kind: str = "full", *, measured: bool = True, **given: Any) -> Model:
    job = run_to(studio, training.submit(studio, spec(**given)), State.SUCCEEDED, steps=20)
    checkpoint(job, 4)
    folder = Path(str(job.run_dir)) / "model"
    shutil.copytree(bundled_folder() / "models" / "tiny-base", folder)
    model = registry.register_result(studio, job, {"model": "model", "kind": kind})
    if measured:
        _measure(studio, job, model)
    marks.change(studio, RUNS, [job.id], add=["good"], note="why")
    marks.change(studio, MODELS, [model.id], starred=True)
    return model


def _measure(studio: Studio, job: Job, model: Model) -> None:
    with studio.db.write() as session:
        session.add(
            Evaluation(
                job_id=job.id,
                model_id=model.id,
                model=model.name,
                suite="sums",
                questions="q",
                value=0.5,
                figures={},
                file="x.parquet",
            )
        )


def everything(studio: Studio) -> dict[str, list[Any]]:
    """All rows of all tables but those of deletions, and all files."""
    with studio.db.read() as session:
        rows = {
            table.name: [tuple(row) for row in session.execute(select(table))]
            for table in Table.metadata.sorted_tables
            if table.name not in ("deletion", "device")
        }
    home = studio.settings.home
    places = ("runs", "models", "datasets")
    files = sorted(
        str(f.relative_to(home)) for place in places for f in (home / place).rglob("*") if f.is_file()
    )
    return {**rows, "files": files}


def sound(studio: Studio) -> bool:
    with studio.db.read() as session:
        return session.execute(text("PRAGMA foreign_key_check")).all() == []


@pytest.mark.parametrize("thing", [RUNS, MODELS, DATASETS], ids=lambda thing: thing.name)
def test_what_is_deleted_leaves_no_file_and_no_row_and_comes_back_whole(
    studio: Studio, trained: Model, thing: Thing
) -> None:
    dataset = versions.get(studio, "sums")
    id = {"run": trained.job_id, "model": trained.id, "dataset": dataset.id}[thing.name]
    assert id is not None
    before = everything(studio)
    (effect,) = deleting.effects(studio, thing, [id])
    (deletion,) = deleting.remove(studio, thing, [id])
    assert sound(studio) and deletion.bytes == effect.bytes > 0
    after = everything(studio)
    with pytest.raises(NotFound):
        marks.change(studio, thing, [id], starred=True)
    gone = {"run": "runs/", "model": "runs/1/model", "dataset": "datasets/"}[thing.name]
    assert not [file for file in after["files"] if file.startswith(gone)]
    if thing is RUNS:
        left = {table: after[table] for table in ("job", "job_event", "metric", "evaluation", "mark")}
        assert not any(left.values())
        assert metrics.points(studio, id) == []
    deleting.undo(studio, deletion.id)
    assert everything(studio) == before and sound(studio)
    with pytest.raises(Conflict, match="already"):
        deleting.undo(studio, deletion.id)
    assert deleting.recent(studio) == []


def test_no_number_is_given_twice(studio: Studio, trained: Model) -> None:
    job, model = trained.job_id or 0, trained.id
    (deletion,) = deleting.remove(studio, RUNS, [job])
    again = train(studio)
    assert (again.job_id or 0) > job and again.id > model
    assert again.name == trained.name
    deleting.undo(studio, deletion.id)
    # Its name was given away meanwhile.
    assert registry.get(studio, model).name == f"{trained.name}-2" and sound(studio)


def test_a_base_of_adapters_stays_until_they_are_deleted_too(studio: Studio, trained: Model) -> None:
    adapter = train(studio, "adapter", model=trained.name)
    (effect,) = deleting.effects(studio, MODELS, [trained.id])
    assert effect.blocked and {one.key for one in effect.dependants} == {"adapters", "runs"}
    for thing, id in ((MODELS, trained.id), (RUNS, trained.job_id or 0)):
        with pytest.raises(Conflict, match=f"base of adapters: {adapter.name}"):
            deleting.remove(studio, thing, [id])
    first, second = deleting.remove(studio, MODELS, [trained.id, adapter.id])
    assert sound(studio) and [first.name, second.name] == [adapter.name, trained.name]
    deleting.undo(studio, second.id)
    deleting.undo(studio, first.id)
    assert registry.get(studio, adapter.id).parent_id == trained.id


def test_a_model_trained_further_keeps_its_weights_and_gets_its_parent_back(
    studio: Studio, trained: Model
) -> None:
    child = train(studio, model=trained.name)
    (deletion,) = deleting.remove(studio, MODELS, [trained.id])
    assert registry.get(studio, child.id).parent_id is None and sound(studio)
    deleting.undo(studio, deletion.id)
    assert registry.get(studio, child.id).parent_id == trained.id


def test_what_a_run_waits_for_is_kept(studio: Studio, trained: Model) -> None:
    waiting = training.submit(studio, spec(model=trained.name))
    dataset = versions.get(studio, "sums")
    for thing, id in ((RUNS, waiting.id), (MODELS, trained.id), (DATASETS, dataset.id)):
        with pytest.raises(Conflict, match="Cancel"):
            deleting.remove(studio, thing, [id])
    queue.request_stop(studio, waiting.id, Stop.CANCEL)
    deleting.remove(studio, DATASETS, [dataset.id])
    deleting.remove(studio, RUNS, [waiting.id])


def test_what_lies_outside_and_what_comes_along_is_never_touched(studio: Studio, tmp_path: Path) -> None:
    registry.ensure_demo_models(studio)
    demo = registry.get(studio, "tiny-base")
    with pytest.raises(Conflict, match="included with Tunesmith"):
        deleting.remove(studio, MODELS, [demo.id])
    outside = tmp_path / "mine"
    outside.mkdir()
    (outside / "model.safetensors").write_bytes(b"x")
    with studio.db.write() as session:
        model = Model(name="mine", kind="base", path=str(outside), source=str(outside))
        session.add(model)
    deleting.remove(studio, MODELS, [model.id])
    assert (outside / "model.safetensors").is_file()


def test_two_datasets_with_the_same_records_share_a_file(studio: Studio, tmp_path: Path) -> None:
    rows = [chat("a", "b"), chat("c", "d")]
    one, other = (imported(studio, name, rows, tmp_path) for name in ("one", "other"))
    deleting.remove(studio, DATASETS, [one.id])
    assert versions.parquet_path(studio, other).is_file()
    deleting.remove(studio, DATASETS, [other.id])
    assert not list(studio.settings.datasets.glob("*.parquet"))


def test_a_sample_that_was_deleted_does_not_come_back_by_itself(studio: Studio) -> None:
    store.ensure_samples(studio)
    sample = versions.get(studio, "tiny-sft-chat")
    deleting.remove(studio, DATASETS, [sample.id])
    store.ensure_samples(studio)
    with pytest.raises(NotFound):
        versions.get(studio, "tiny-sft-chat")


def test_a_version_whose_number_was_given_away_becomes_the_next(studio: Studio, tmp_path: Path) -> None:
    first = imported(studio, "sums", [chat("a", "b")], tmp_path)
    (deletion,) = deleting.remove(studio, DATASETS, [first.id])
    imported(studio, "sums", [chat("c", "d")], tmp_path)
    assert deleting.undo(studio, deletion.id) == "sums@2"


def test_after_a_day_the_files_are_gone(
    studio: Studio, trained: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    (deletion,) = deleting.remove(studio, MODELS, [trained.id])
    folder = studio.settings.home / "trash" / deletion.folder
    deleting.tidy(studio)
    assert folder.is_dir()
    later = clock.now() + deleting.KEPT + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    deleting.tidy(studio)
    assert not folder.exists() and deleting.recent(studio) == []
    with pytest.raises(Conflict, match="more than a day"):
        deleting.undo(studio, deletion.id)


def test_whoever_was_killed_between_rows_and_files_is_finished_for(
    studio: Studio, trained: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    before = everything(studio)
    with monkeypatch.context() as patch:
        patch.setattr(deleting, "_move_files", killed)
        with pytest.raises(KeyboardInterrupt):
            deleting.remove(studio, MODELS, [trained.id])
    assert Path(trained.path).is_dir() and sound(studio)
    deleting.tidy(studio)
    assert not Path(trained.path).exists()
    (deletion,) = deleting.recent(studio)
    deleting.undo(studio, deletion.id)
    assert everything(studio) == before


def test_a_kind_says_which_rows_go_with_it(studio: Studio) -> None:
    """What may not be null and names a thing must be one of its parts, or its deletion would fail."""
    for thing in THINGS.values():
        parts = {part.property.columns[0] for part in thing.parts}
        goes = {thing.table.__table__, *(column.table for column in parts)}
        needed = {
            column
            for table in Table.metadata.sorted_tables
            for column in table.c
            for key in column.foreign_keys
            if key.column.table in goes and not column.nullable
        }
        assert needed <= parts, thing.name


def test_who_deleted_what_is_kept(studio: Studio, trained: Model) -> None:
    deleting.remove(studio, RUNS, [trained.job_id or 0])
    with studio.db.read() as session:
        (kept,) = session.scalars(select(Deletion))
        assert (kept.kind, kept.numbers["job"], kept.numbers["model"]) == ("run", trained.job_id, trained.id)
        assert session.scalar(select(Job.id)) is None
