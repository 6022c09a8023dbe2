from __future__ import annotations

import importlib.util
import shlex

import pytest

from studio_core import training
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Device
from studio_core.data import store
from studio_core.methods.memory import memory
from studio_core.methods.roles import Role
from studio_core.models import registry
from studio_core.models.size import ModelSize
from studio_core.runs import queue
from studio_core.runs.slots import card, devices_wanted
from studio_core.training import several_gpus

GIB = 1 << 30


@pytest.fixture
def studio(studio: Studio) -> Studio:
    """With two GPUs, on one of which two runs may be at once."""
    registry.ensure_demo_models(studio)
    store.ensure_samples(studio)
    ids = ("GPU-a", "GPU-a#2", "GPU-b", "GPU-b#2")
    slots = [Device(id=id, kind="gpu", label=id, memory=24 * GIB) for id in ids]
    queue.set_devices(studio, [*slots, Device(id="cpu:0", kind="cpu", label="CPU", memory=GIB)])
    return studio


def planned(studio: Studio, **given: object) -> training.Plan:
    wanted = {"method": "sft", "model": "tiny-base", "dataset": "tiny-sft-chat", **given}
    return training.plan(studio, training.spec_from(wanted))


def said(plan: training.Plan) -> str:
    assert not plan.ready and [problem.sentence("zh-CN") for problem in plan.problems]
    return " ".join(problem.sentence() for problem in plan.problems)


def test_each_gpu_takes_its_share_of_the_rows(studio: Studio) -> None:
    one, two = planned(studio), planned(studio, gpus=2)
    assert one.ready and two.ready
    assert two.effective_batch == 2 * one.effective_batch
    assert two.steps == pytest.approx(one.steps / 2, rel=0.02)
    assert two.seconds is not None and one.seconds is not None and two.seconds < one.seconds
    job = training.submit(studio, two.spec)
    assert devices_wanted(job) == 2
    [(_, slots)] = queue.startable(studio, queue.devices(studio))
    assert {card(slot) for slot in slots} == {"GPU-a", "GPU-b"}


def test_what_stands_in_the_way(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    assert several_gpus.count(queue.devices(studio)) == 2
    assert "only 2 are available. Set GPUs to at most 2" in said(planned(studio, gpus=3))
    assert "uses the CPU" in said(planned(studio, gpus=2, device="cpu"))
    taught = {"method": "distillation", "models": {"teacher": "tiny-chat"}}
    assert "distillation trains on one GPU, but 2 are asked for" in said(planned(studio, gpus=2, **taught))
    assert planned(studio, **taught).ready
    adafactor = {"optimizer": "adafactor"}
    assert "adafactor does not work with fsdp" in said(
        planned(studio, gpus=2, parallel="fsdp", options=adafactor)
    )
    assert "QLoRA does not work with fsdp" in said(planned(studio, gpus=2, parallel="fsdp", tuning="qlora"))
    monkeypatch.setattr(several_gpus, "find_spec", lambda _: None)
    assert "pip install deepspeed" in said(planned(studio, gpus=2, parallel="deepspeed"))
    monkeypatch.setattr(several_gpus, "find_spec", importlib.util.find_spec)
    assert planned(studio, parallel="deepspeed").ready  # On one GPU it does not matter.


def test_out_of_range_is_refused() -> None:
    for given in ({"gpus": 0}, {"gpus": 65}, {"parallel": "magic"}):
        with pytest.raises(BadInput):
            training.spec_from({"method": "sft", "model": "m", "dataset": "d", **given})


def test_the_command_and_the_file_say_it(studio: Studio) -> None:
    spec = planned(studio, gpus=2, parallel="fsdp").spec
    words = shlex.split(training.to_command(spec))
    assert words[words.index("--gpus") + 1] == "2" and words[words.index("--parallel") + 1] == "fsdp"
    assert training.from_yaml(training.to_yaml(spec)) == spec
    assert "gpus" not in training.to_yaml(planned(studio).spec)


def test_memory_on_each_gpu() -> None:
    size = ModelSize(8_000_000_000, 4096, 32, 128_000, 14_336, False)

    models = {Role("policy", learns=True): size}

    def total(gpus: int, parallel: str) -> int:
        return memory(
            models, tuning="full", rows=1, length=512, device="gpu", gpus=gpus, parallel=parallel
        ).total

    one = total(1, "ddp")
    assert total(4, "ddp") == one + 4 * size.parameters
    assert total(4, "fsdp") < 0.4 * one
    assert total(4, "fsdp") < total(4, "deepspeed") < one
