from __future__ import annotations

import tomllib
from pathlib import Path

from studio_core.base import about
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Device, Model
from studio_core.machine.overview import machine, overview
from studio_core.runs import queue


def dataset(name: str, version: int, rows: int) -> Dataset:
    return Dataset(
        name=name,
        version=version,
        shape="chat",
        rows=rows,
        rejected=[],
        sha256="",
        file=f"{name}-{version}.parquet",
        bytes=1,
        source="",
        mapping={},
    )


def test_an_empty_studio(studio: Studio) -> None:
    state = overview(studio)
    assert (state.datasets, state.rows, state.runs, state.chats, state.votes) == (0, 0, 0, 0, 0)
    assert (state.projects, state.labels) == (0, 0)
    assert list(state.recent_runs) == [] and list(state.recent_models) == []


def test_each_dataset_counts_once_with_its_newest_rows(studio: Studio) -> None:
    with studio.db.write() as session:
        session.add_all([dataset("a", 1, 10), dataset("a", 2, 12), dataset("b", 1, 5)])
    assert (overview(studio).datasets, overview(studio).rows) == (2, 17)


def test_runs_are_trainings_only_and_models_the_trained_ones(studio: Studio) -> None:
    jobs = [queue.submit(studio, kind="train", name=f"run {n}", spec={}) for n in range(7)]
    queue.submit(studio, kind="serve", name="chat", spec={})
    queue.set_devices(studio, [Device(id="cpu:0", kind="cpu", label="CPU")])
    claimed = queue.claim(studio, jobs[0].id, ["cpu:0"])
    assert claimed is not None
    with studio.db.write() as session:
        base = Model(name="base", kind="base", path="/b", parent_id=None, job_id=None)
        session.add_all([base, Model(name="mine", kind="full", path="/m", parent_id=None, job_id=jobs[0].id)])
    state = overview(studio)
    assert (state.runs, state.running, state.queued, state.succeeded) == (7, 1, 6, 0)
    assert [job.name for job in state.recent_runs] == [f"run {n}" for n in (6, 5, 4, 3, 2)]
    assert (state.models, state.trained, [model.name for model in state.recent_models]) == (2, 1, ["mine"])
    assert queue.finish(studio, claimed, State.SUCCEEDED)
    assert overview(studio).succeeded == 1


def test_the_machine(studio: Studio) -> None:
    queue.set_devices(
        studio,
        [
            Device(id="cpu:0", kind="cpu", label="CPU"),
            Device(id="GPU-1", kind="gpu", label="GPU 0", memory=8),
        ],
    )
    found = machine(studio)
    assert found.cores >= 1 and 0 < found.memory_free <= found.memory and found.disk_free > 0
    assert [gpu.label for gpu in found.gpus] == ["GPU 0"]


def test_versions_name_what_matters(studio: Studio) -> None:
    found = about.versions(studio)
    assert found.keys() >= {"Tunesmith", "Python", "SQLite", "gradio", "torch"}
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == about.FALLBACK
