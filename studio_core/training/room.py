"""What a model takes on this machine, by way of use: whether there is room to run it, and to train it in each way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

import psutil

from studio_core import tunings
from studio_core.base.studio import Studio
from studio_core.methods import METHODS, memory
from studio_core.methods.base import validated
from studio_core.methods.common import TrainingOptions
from studio_core.methods.memory import FULL, RUNTIME
from studio_core.models.catalogue import OpenModel
from studio_core.models.inspect import Inspected
from studio_core.models.size import ModelSize
from studio_core.runs import queue

Fit = Literal["fits", "tight", "no"]

INFERENCE = "inference"
WAYS = (INFERENCE, "qlora", "lora", "full")

ROWS, LENGTH = 1, 1024
"""Sequences of a step, and their tokens. One short conversation at a time is the least that a training does: what does
not fit so does not fit at all. A plan says it for the data and the options at hand."""


@dataclass(frozen=True)
class Machine:
    """Where a run would go on this machine."""

    device: Literal["cpu", "gpu"]
    total: int
    """Bytes of memory: of its largest GPU, else of the machine."""
    free: int
    """Bytes of these that are free now; of a GPU all, since runs wait for it."""


@dataclass(frozen=True)
class Need:
    way: str
    bytes: int
    fit: Fit
    checkpointing: bool = False
    """Whether activations are computed twice so that it fits."""


def here(studio: Studio) -> Machine:
    gpus = [device.memory for device in queue.devices(studio) if device.kind == "gpu"]
    if gpus:
        return Machine("gpu", max(gpus), max(gpus))
    now = psutil.virtual_memory()
    return Machine("cpu", int(now.total), int(now.available))


def of(machine: Machine, found: Inspected | None) -> list[Need]:
    """Likewise of a model that was looked into; empty if its files do not say what it is."""
    if found is None or not found.parameters:
        return []
    size = ModelSize.of(found.parameters, found.details())
    return needs(machine, size, quantised=found.quantised)


def fitting(
    machine: Machine, models: Iterable[OpenModel], way: str = ""
) -> list[tuple[OpenModel, list[Need]]]:
    """Those for which there is room for that way, tight or not; all if none is named."""
    each = [(model, needs(machine, model.size)) for model in models]
    return [
        (model, needed)
        for model, needed in each
        if not way or any(need.way == way and need.fit != "no" for need in needed)
    ]


def needs(machine: Machine, size: ModelSize, *, quantised: bool = False) -> list[Need]:
    """Memory of each way, about; a model whose weights are stored in few bits is not put into 4 bits once more."""
    ways = [way for way in WAYS if not (quantised and way == "qlora")]
    return [_need(machine, size, way) for way in ways]


def _need(machine: Machine, size: ModelSize, way: str) -> Need:
    if way == INFERENCE:
        amount, twice = inference(size, machine.device), False
    else:
        method = METHODS["sft"]
        options = cast(TrainingOptions, validated(method, "balanced", way, size.parameters))
        needed = memory.of_run(
            memory.sizes_by_role(method, size, {}, options),
            options,
            tuning=way,
            batch_size=ROWS,
            longest=LENGTH,
            device=machine.device,
            available=machine.total,
        )
        amount, twice = needed.total, needed.checkpointing
    return Need(way, amount, fit(machine, amount), twice)


def inference(size: ModelSize, device: str) -> int:
    """Bytes while the model writes: its weights as they are loaded (2 bytes each on a GPU, 4 on a CPU), keys and values
    of ``LENGTH`` tokens, and the libraries."""
    width = 2 if device == "gpu" else 4
    cache = 2 * size.layers * (size.key_values or size.hidden) * width * LENGTH
    return width * size.parameters + cache + RUNTIME[device]


def fit(machine: Machine, amount: int) -> Fit:
    """As a plan says it: more than there is does not fit; more than is free now, or nearly all, is tight."""
    if amount > machine.total:
        return "no"
    return "tight" if amount > min(FULL * machine.total, machine.free) else "fits"


def missing(way: str) -> str:
    """The key of what a way of tuning needs that is not on this machine; empty if it can begin."""
    problem = tunings.named(way).missing() if way != INFERENCE else None
    return problem.key if problem else ""
