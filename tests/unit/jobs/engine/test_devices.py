from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.engine import devices, tree
from studio_core.base.gpus import Gpus, Reading
from studio_core.base.settings import Settings
from studio_core.base.studio import Studio
from studio_core.base.tables import UNREACHABLE, Device
from studio_core.runs import queue, reasons
from studio_core.runs.slots import card
from tests.conftest import wait_until
from tests.fake_nvml import GIB, LOST, Card, FakeNvml

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
    found = devices.detect_slots(Settings(cpu_runs=2))
    assert [slot.id for slot in found if slot.kind != "gpu"] == ["cpu:0", "cpu:1", "data:0", "serve:0"]
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


def nobody(_pid: int) -> bool:
    return False


def slots_of(*cards: Card, runs: int = 1) -> list[Device]:
    """As the database gives them back."""
    found = devices.detect_slots(Settings(gpu_runs=runs), Gpus(FakeNvml(list(cards))))
    for slot in found:
        slot.foreign_memory = 0
    return found


def test_each_gpu_has_as_many_slots_as_runs_may_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    slots = slots_of(Card("GPU-a"), Card("GPU-b"), runs=3)
    gpus = [slot for slot in slots if slot.kind == "gpu"]
    assert [slot.id for slot in gpus] == ["GPU-b", "GPU-b#2", "GPU-b#3"]
    assert {card(slot) for slot in gpus} == {"GPU-b"}
    assert gpus[1].label == "GPU 1: Imagined (2)"
    assert devices.mask_for(gpus[1:2], slots) == "GPU-b"


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (Card("GPU-a", used=GIB // 2), 0),
        (Card("GPU-a", used=2 * GIB), 0),  # Less than a tenth.
        (Card("GPU-a", used=3 * GIB), 3 * GIB),
        (Card("GPU-a", used=GIB // 2, total=2 * GIB), 0),  # Less than 1 GB.
        (Card("GPU-a", used=5 * GIB, processes={7: 4 * GIB}), 0),  # 7 is ours.
        (Card("GPU-a", used=9 * GIB, processes={7: 4 * GIB, 8: 5 * GIB}), 5 * GIB),
        (Card("GPU-a", used=9 * GIB, processes={7: None}), 0),
        (Card("GPU-a", error=LOST), UNREACHABLE),
    ],
)
def test_what_other_programs_fill(monkeypatch: pytest.MonkeyPatch, card: Card, expected: int) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    slots = slots_of(Card("GPU-a", total=card.total))
    reading = Gpus(FakeNvml([card])).read("GPU-a")
    assert devices.foreign_memory(slots[0], reading, slots, lambda pid: pid == 7) == expected


def test_a_gpu_that_a_run_holds_is_not_filled_by_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    slots = slots_of(Card("GPU-a"), runs=2)
    slots[0].job_id = 3
    full = Reading(used=20 * GIB)
    assert devices.foreign_memory(slots[1], full, slots, nobody) == 0
    slots[0].job_id = None
    assert devices.foreign_memory(slots[1], full, slots, nobody) == 20 * GIB
    slots[-1].job_id = 4  # Chat, in a container that does not tell whose memory it is.
    assert devices.foreign_memory(slots[1], full, slots, nobody) == 0


def test_only_what_matters_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    card = Card("GPU-a", used=5 * GIB)
    gpus, slots = Gpus(FakeNvml([card])), slots_of(card, runs=2)

    def changed() -> dict[str, int]:
        changes = devices.changes(slots, gpus, nobody)
        for slot in slots:
            slot.foreign_memory = changes.get(slot.id, slot.foreign_memory)
        return changes

    assert changed() == {"GPU-a": 5 * GIB, "GPU-a#2": 5 * GIB}
    card.used += 100 << 20
    assert changed() == {}
    card.used += GIB
    assert set(changed().values()) == {card.used}
    card.error = LOST
    assert set(changed().values()) == {UNREACHABLE}
    assert changed() == {}
    card.error, card.used = 0, 0
    assert set(changed().values()) == {0}


def test_a_filled_gpu_is_a_reason_to_wait(studio: Studio) -> None:
    full = Device(id="GPU-a", kind="gpu", label="GPU 0: X", memory=24 * GIB)
    queue.set_devices(studio, [full, Device(id="GPU-b", kind="gpu", label="GPU 1: Y", memory=24 * GIB)])
    job = queue.submit(studio, kind="train", name="t", spec={"device": "gpu"})
    queue.set_foreign_memory(studio, {"GPU-a": 20_000_000_000, "GPU-b": UNREACHABLE})
    slots = queue.devices(studio)
    assert queue.startable(studio, slots) == []
    reason = reasons._for_device(job, slots, "en")
    assert "GPU 0: X, where other programs use 20.0 of 25.8 GB" in reason
    assert "GPU 1: Y, which no longer responds" in reason
    queue.set_foreign_memory(studio, {"GPU-b": 0})
    [(_, [slot])] = queue.startable(studio, queue.devices(studio))
    assert slot.id == "GPU-b"


def test_a_process_of_a_run_is_known_by_its_studio(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "input()"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, tree.STUDIO: str(tmp_path)})
    try:
        wait_until(lambda: tree.belongs(child.pid, tmp_path), 10, "its environment")
        assert not tree.belongs(child.pid, tmp_path / "other") and not tree.belongs(1 << 22, tmp_path)
    finally:
        child.communicate(b"\n")
