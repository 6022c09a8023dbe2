"""Work on data that is stopped, cancelled or killed in the middle: a version is whole, marked, or not there."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from studio_core.base.states import Cause, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.curation import making
from studio_core.data import store, versions
from studio_core.runs import queue
from studio_core.runs.spec import DataSpec
from tests.conftest import wait_until
from tests.faults.conftest import EngineProcess, folder, supervisor_pid


@pytest.fixture
def endless(engine: EngineProcess, studio: Studio, tmp_path: Path) -> Job:
    """A job that would write fifty million records, while it is at it."""
    file = tmp_path / "few.jsonl"
    file.write_text("".join(f'{{"prompt": "question {n}", "completion": "answer"}}\n' for n in range(2000)))
    store.import_file(studio, file)
    del engine.env["TUNESMITH_WORKER_COMMAND"]
    engine.start()
    job = making.submit(
        studio, DataSpec(operation="mix", datasets=["few"], options={"n": 50_000_000}, result="many")
    )
    engine.wait_for_step(job, 1)
    return job


def outputs(job: Job) -> list[Path]:
    return list(folder(job).glob("output-*"))


def known(studio: Studio) -> list[str]:
    return [dataset.name for dataset in versions.all_datasets(studio)]


def files(studio: Studio) -> set[str]:
    return {path.name for path in studio.settings.datasets.iterdir()}


def few(studio: Studio) -> Dataset:
    return versions.get(studio, "few")


def test_a_killed_worker_leaves_no_version_and_no_file(
    engine: EngineProcess, studio: Studio, endless: Job
) -> None:
    assert outputs(endless)
    supervisor = psutil.Process(supervisor_pid(endless))
    [worker] = supervisor.children()
    os.kill(worker.pid, signal.SIGKILL)
    ended = engine.wait_for(endless, "failed")
    assert ended.cause == Cause.KILLED
    assert known(studio) == ["few"] and files(studio) == {few(studio).file}
    assert not outputs(endless)


def test_cancelled_work_leaves_no_version_and_no_file(
    engine: EngineProcess, studio: Studio, endless: Job
) -> None:
    queue.request_stop(studio, endless.id, Stop.CANCEL)
    engine.wait_for(endless, "cancelled")
    assert known(studio) == ["few"] and files(studio) == {few(studio).file}
    wait_until(lambda: not outputs(endless))


def test_stopped_work_keeps_what_it_has_and_says_so(
    engine: EngineProcess, studio: Studio, endless: Job
) -> None:
    queue.request_stop(studio, endless.id, Stop.SAVE)
    ended = engine.wait_for(endless, "succeeded")
    assert ended.cause == Cause.STOPPED
    [made] = versions.of_job(studio, endless.id)
    assert made.name == "many" and made.made["stopped"] is True
    assert 0 < made.rows == made.made["counts"]["few@1"] < 50_000_000
    assert len(store.records(studio, made, made.rows - 3, 10)) == 3
    again = making.resume(studio, endless.id)
    engine.wait_for_step(again, 1)
    queue.request_stop(studio, again.id, Stop.CANCEL)
    engine.wait_for(again, "cancelled")
    assert sorted(known(studio)) == ["few", "many"]
