"""What stands in the way of a training on several GPUs. Whether it is worth it is for the user to say."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from studio_core.base.errors import BadInput
from studio_core.base.tables import Device
from studio_core.methods import METHODS
from studio_core.methods.common import TrainingOptions
from studio_core.runs.slots import card
from studio_core.runs.spec import TrainSpec

PARALLEL = ("ddp", "fsdp", "deepspeed")


def count(devices: Sequence[Device]) -> int:
    """How many GPUs there are, however many runs each of them takes."""
    return len({card(device) for device in devices if device.kind == "gpu"})


def problems(
    spec: TrainSpec, device: str, devices: Sequence[Device], options: TrainingOptions | None
) -> list[BadInput]:
    """Of a run on more than one GPU; none for a run on one."""
    if spec.gpus == 1:
        return []
    refusals: list[BadInput] = []
    there = count(devices)
    if device != "gpu":
        refusals.append(BadInput("train.gpus_on_cpu", gpus=spec.gpus))
    elif spec.gpus > there:
        refusals.append(BadInput("train.too_few_gpus", gpus=spec.gpus, found=there))
    if spec.method in METHODS and not METHODS[spec.method].several_gpus:
        refusals.append(BadInput("train.one_gpu_only", method=spec.method, gpus=spec.gpus))
    if spec.parallel == "deepspeed" and find_spec("deepspeed") is None:
        refusals.append(BadInput("train.no_deepspeed"))
    if spec.parallel != "ddp" and options is not None and options.optimizer != "adamw":
        refusals.append(
            BadInput("train.optimizer_in_parts", optimizer=options.optimizer, parallel=spec.parallel)
        )
    return refusals
