"""Whether there is room on this machine to run and to train a model."""

from __future__ import annotations

import psutil
import pytest

from studio_core.base.studio import Studio
from studio_core.base.tables import Device
from studio_core.models.catalogue import catalogue
from studio_core.training import room
from studio_core.training.room import INFERENCE, Machine

GB = 10**9
SIZES = {model.name: model.size for model in catalogue()}


def fits(machine: Machine, name: str) -> dict[str, str]:
    return {need.way: need.fit for need in room.needs(machine, SIZES[name])}


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_ways_take_more_the_more_of_the_model_learns(device: str) -> None:
    endless = Machine(device, 10**15, 10**15)  # type: ignore[arg-type]
    for size in SIZES.values():
        amounts = [need.bytes for need in room.needs(endless, size) if need.way != INFERENCE]
        assert amounts == sorted(amounts), size


def test_the_weights_alone_are_the_least() -> None:
    llama = SIZES["meta-llama/Llama-3.1-8B-Instruct"]
    assert 16 * GB < room.inference(llama, "gpu") < 18 * GB
    assert 32 * GB < room.inference(llama, "cpu") < 34 * GB


def test_a_large_model_on_a_small_card() -> None:
    card = Machine("gpu", 24 * GB, 24 * GB)
    assert fits(card, "meta-llama/Llama-3.1-8B-Instruct") == {
        "inference": "fits", "qlora": "fits", "lora": "fits", "full": "no"
    }  # fmt: skip
    assert set(fits(card, "meta-llama/Llama-3.3-70B-Instruct").values()) == {"no"}


def test_what_is_more_than_is_free_now_is_tight() -> None:
    assert [room.fit(Machine("cpu", 100, 50), amount) for amount in (50, 51, 100, 101)] == [
        "fits", "tight", "tight", "no"
    ]  # fmt: skip
    assert room.fit(Machine("gpu", 100, 100), 91) == "tight"


def test_four_bits_are_not_put_into_four_bits() -> None:
    ways = [need.way for need in room.needs(Machine("gpu", GB, GB), SIZES["Qwen/Qwen3-0.6B"], quantised=True)]
    assert ways == ["inference", "lora", "full"]


def test_this_machine(studio: Studio) -> None:
    assert room.here(studio).device == "cpu"
    assert room.here(studio).total == psutil.virtual_memory().total
    with studio.db.write() as session:
        session.add_all(Device(id=f"GPU-{n}", kind="gpu", label=f"GPU {n}", memory=n * GB) for n in (8, 24))
    assert room.here(studio) == Machine("gpu", 24 * GB, 24 * GB)
