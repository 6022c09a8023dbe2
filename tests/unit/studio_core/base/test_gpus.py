from __future__ import annotations

from studio_core.base.gpus import Gpus, Reading
from tests.fake_nvml import GIB, LIBRARY_NOT_FOUND, LOST, UNKNOWN, Card, FakeNvml


def test_what_a_gpu_tells() -> None:
    gpus = Gpus(FakeNvml([Card("GPU-a", used=GIB, processes={7: GIB // 2})]))
    [found] = gpus.found()
    assert (found.uuid, found.number, found.memory) == ("GPU-a", 0, 24 * GIB)
    assert gpus.read("GPU-a") == Reading(True, GIB, 37, 54, 61.5, ((7, GIB // 2),))


def test_what_a_gpu_does_not_tell_is_none() -> None:
    assert Gpus(FakeNvml([Card("GPU-a", power=None)])).read("GPU-a").power is None


def test_without_the_library_it_is_looked_for_once() -> None:
    nvml = FakeNvml(failing=LIBRARY_NOT_FOUND)
    gpus = Gpus(nvml)
    assert gpus.found() == [] and gpus.read("GPU-a") == Reading() and gpus.found() == []
    assert nvml.inits == 1


def test_a_driver_that_comes_up_later_is_found() -> None:
    nvml = FakeNvml([Card("GPU-a")], failing=UNKNOWN)
    gpus = Gpus(nvml)
    assert gpus.found() == []
    nvml.failing = 0
    assert [gpu.uuid for gpu in gpus.found()] == ["GPU-a"]


def test_a_short_failure_keeps_the_last_reading_and_a_lost_gpu_does_not() -> None:
    card = Card("GPU-a", used=3 * GIB)
    nvml = FakeNvml([card])
    gpus = Gpus(nvml)
    before = gpus.read("GPU-a")
    card.error = UNKNOWN
    assert gpus.read("GPU-a") == before
    card.error = LOST
    assert not gpus.read("GPU-a").reachable
    card.error = UNKNOWN
    assert not gpus.read("GPU-a").reachable
    card.error = 0
    assert gpus.read("GPU-a") == before
    nvml.cards.clear()
    assert not gpus.read("GPU-a").reachable


def test_the_real_library_is_the_default_and_may_be_missing() -> None:
    assert all(gpu.memory > 0 for gpu in Gpus().found())
