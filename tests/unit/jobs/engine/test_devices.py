from __future__ import annotations

import os

import pytest

from jobs.engine import devices
from studio_core.settings import Settings
from studio_core.tables import Device

A, B, C = (
    Device(id=f"GPU-{letter}1", kind="gpu", label=f"GPU {n}", memory=1) for n, letter in enumerate("abc")
)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (None, [A, B, C]),
        ("", []),
        ("-1", []),
        ("1", [B]),
        ("2,0", [C, A]),
        ("0,7,1", [A]),
        ("GPU-b1", [B]),
        ("GPU-c, GPU-a", [C, A]),
        ("GPU-", []),
        ("MIG-x", []),
    ],
)
def test_a_mask_is_read_as_cuda_reads_it(mask: str | None, expected: list[Device]) -> None:
    assert devices.visible([A, B, C], mask) == expected


def test_processor_slots_and_chat_are_always_there() -> None:
    found = devices.found(Settings(cpu_runs=2))
    assert [slot.id for slot in found if slot.kind != "gpu"] == ["cpu:0", "cpu:1", "serve:0"]
    assert len({slot.id for slot in found}) == len(found)


def test_chat_shares_a_gpu_and_prefers_a_free_one() -> None:
    cpu, chat = Device(id="cpu:0", kind="cpu", label=""), Device(id="serve:0", kind="serve", label="")
    held = Device(id="GPU-held", kind="gpu", label="", job_id=4)
    assert devices.mask_for([A], [held, A, cpu, chat]) == A.id
    assert devices.mask_for([cpu], [held, A, cpu, chat]) == ""
    assert devices.mask_for([chat], [held, A, cpu, chat]) == A.id
    assert devices.mask_for([chat], [held, cpu, chat]) == held.id
    assert devices.mask_for([chat], [cpu, chat]) == ""


def test_the_binding_hides_every_other_gpu() -> None:
    assert devices.binding("GPU-a1")["CUDA_VISIBLE_DEVICES"] == "GPU-a1"
    assert devices.binding("GPU-a1")["TUNESMITH_DEVICE"] == "cuda"
    assert (devices.binding("")["CUDA_VISIBLE_DEVICES"], devices.binding("")["TUNESMITH_DEVICE"]) == (
        "",
        "cpu",
    )


def test_threads_are_shared_among_runs() -> None:
    cores = len(os.sched_getaffinity(0))
    assert devices.threads(Settings(), 0) == {"OMP_NUM_THREADS": str(cores)}
    assert devices.threads(Settings(), 100) == {"OMP_NUM_THREADS": "1"}
    assert devices.threads(Settings(threads=3), 100) == {"OMP_NUM_THREADS": "3"}
