from __future__ import annotations

import pytest

from studio_core.base.gpus import Gpus
from studio_core.base.studio import Studio
from studio_core.base.tables import UNREACHABLE, Device
from studio_core.machine.machine import FRESH, Machine
from studio_core.runs import queue
from tests.fake_nvml import GIB, LIBRARY_NOT_FOUND, LOST, Card, FakeNvml
from tests.work import work


def slot(id: str, kind: str = "gpu") -> Device:
    return Device(id=id, kind=kind, label=id, memory=24 * GIB)


def test_without_a_gpu_it_is_the_processor(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.set_devices(studio, [slot("cpu:0", "cpu"), slot("cpu:1", "cpu"), slot("serve:0", "serve")])
    job = queue.submit(studio, kind="train", name="a run", spec={})
    queue.claim(studio, job.id, ["cpu:1"])
    machine = Machine(studio)
    machine._times = machine._times._replace(user=machine._times.user - 30, idle=machine._times.idle - 10)
    [now] = machine.now()
    assert now.kind == "cpu" and now.runs == ((job.id, "a run"),)
    assert now.utilisation == pytest.approx(75, abs=8)
    assert now.used is not None and 0 < now.used < now.memory


def test_a_gpu_with_the_runs_on_it(studio: Studio) -> None:
    queue.set_devices(studio, [slot("GPU-a"), slot("GPU-a#2"), slot("GPU-b"), slot("cpu:0", "cpu")])
    first, second = (queue.submit(studio, kind="train", name=name, spec={}) for name in "xy")
    queue.claim(studio, first.id, ["GPU-a#2", "GPU-b"])
    queue.claim(studio, second.id, ["GPU-a"])
    nvml = FakeNvml([Card("GPU-a", used=6 * GIB), Card("GPU-b", error=LOST)])
    a, b = Machine(studio, Gpus(nvml)).now()
    assert (a.utilisation, a.used, a.temperature, a.power) == (37, 6 * GIB, 54, 61.5)
    assert a.runs == ((first.id, "x"), (second.id, "y")) and b.runs == ((first.id, "x"),)
    assert a.reachable and not b.reachable and b.used is None


def test_what_the_engine_found_is_shown_though_nvml_fails_here(studio: Studio) -> None:
    queue.set_devices(studio, [slot("GPU-a"), slot("GPU-b")])
    queue.set_foreign_memory(studio, {"GPU-a": 5 * GIB, "GPU-b": UNREACHABLE})
    a, b = Machine(studio, Gpus(FakeNvml(failing=LIBRARY_NOT_FOUND))).now()
    assert (a.used, a.utilisation, a.memory, a.foreign_memory) == (None, None, 24 * GIB, 5 * GIB)
    assert a.reachable and not b.reachable and b.foreign_memory == 0


def test_it_reads_once_a_second_and_quickly(studio: Studio) -> None:
    queue.set_devices(studio, [slot(f"GPU-{n}") for n in range(8)])
    machine = Machine(studio, Gpus(FakeNvml([Card(f"GPU-{n}") for n in range(8)])))
    machine.now()
    assert machine.now() is machine.now()

    def read() -> None:
        machine._read_at -= FRESH
        machine.now()

    assert work(read) < 5
