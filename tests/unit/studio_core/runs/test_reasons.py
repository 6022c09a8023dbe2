from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from studio_core.base.states import Cause, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Device, Job
from studio_core.runs import queue, run_folder
from studio_core.runs.engine_process import LOCK
from studio_core.runs.reasons import ending, waiting_reason


@pytest.fixture
def alive(studio: Studio) -> Iterator[None]:
    """As if an engine were there."""
    lock = run_folder.hold(studio.settings.home / LOCK)
    assert lock is not None
    queue.set_devices(studio, [Device(id="cpu:0", kind="cpu", label="CPU 0")])
    yield
    os.close(lock)


def submit(studio: Studio, **given: object) -> Job:
    return queue.submit(studio, **{"kind": "train", "name": "x", "spec": {}, **given})  # type: ignore[arg-type]


def test_without_an_engine(studio: Studio) -> None:
    job = submit(studio)
    assert waiting_reason(studio, job) == "Waiting for the engine, which is not running. Position 1."


def test_for_a_device_that_is_held(studio: Studio, alive: None) -> None:
    first, second, third = (submit(studio) for _ in range(3))
    assert waiting_reason(studio, first) == "Starting on CPU 0. Position 1."
    claimed = queue.claim(studio, first.id, ["cpu:0"])
    assert claimed is not None and waiting_reason(studio, claimed) == ""
    assert waiting_reason(studio, second) == f"Waiting for CPU 0, used by run {first.id}. Position 1."
    assert "Position 2" in waiting_reason(studio, third)
    assert "第 2 位" in waiting_reason(studio, third, "zh-CN")


def test_for_a_gpu_that_is_not_there_or_full(studio: Studio, alive: None) -> None:
    one, two = submit(studio, spec={"device": "gpu"}), submit(studio, spec={"device": "gpu", "gpus": 2})
    assert "this machine has none" in waiting_reason(studio, one)
    full = Device(id="GPU-1", kind="gpu", label="GPU 0", memory=24_000_000_000, foreign_memory=20_100_000_000)
    queue.set_devices(studio, [full])
    assert waiting_reason(studio, one).startswith(
        "Waiting for GPU 0, where other programs use 20.1 of 24.0 GB."
    )
    assert "Needs 2 GPUs, but this machine has 1" in waiting_reason(studio, two)


def test_while_the_queue_is_paused(studio: Studio, alive: None) -> None:
    job = submit(studio)
    queue.pause(studio)
    assert "The queue is paused" in waiting_reason(studio, job)


def test_after_another_job(studio: Studio, alive: None) -> None:
    first = submit(studio, name="lessons")
    second = submit(studio, after_id=first.id)
    assert f"run {first.id} (lessons) has succeeded. Its state: Queued" in waiting_reason(studio, second)
    queue.request_stop(studio, first.id, queue.Stop.CANCEL)
    assert f"Resume run {first.id}, or cancel this run" in waiting_reason(studio, second)


def ended(studio: Studio, cause: Cause, detail: str = "", **given: object) -> Job:
    queue.set_devices(studio, [Device(id="cpu:0", kind="cpu", label="CPU 0")])
    job = queue.claim(studio, submit(studio, **given).id, ["cpu:0"])
    assert job is not None and ending(job) == ""
    queue.finish(studio, job, State.FAILED, cause, detail)
    return queue.get(studio, job.id)


def test_an_ending_in_words(studio: Studio) -> None:
    job = ended(studio, Cause.OUT_OF_MEMORY_GPU, "Tried 2 GiB.")
    assert ending(job).endswith("LoRA or QLoRA. Tried 2 GiB.")
    assert "显存不足" in ending(job, "zh-CN")


def test_too_little_memory_names_what_would_need_less(studio: Studio) -> None:
    lighter = {"batch_size": {"before": 8, "after": 4, "memory": 9.1e9}, "qlora": {"memory": 6.04e9}}
    spec = {"estimate": {"memory": 14.2e9, "lighter": lighter}}
    told = ending(ended(studio, Cause.OUT_OF_MEMORY_GPU, "Tried 2 GiB.", spec=spec))
    assert "Batch size 8 → 4: about 9.1 GB instead of 14.2 GB." in told
    assert "QLoRA: about 6.0 GB instead of 14.2 GB." in told


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_a_sentence(studio: Studio, cause: Cause) -> None:
    assert len(ending(Job(cause=cause.value, detail="x", spec={}))) > 20
