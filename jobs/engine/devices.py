"""The devices of this machine as slots, and the environment that binds a worker to one."""

from __future__ import annotations

import os
from collections.abc import Sequence

from studio_core.queue import card
from studio_core.settings import Settings
from studio_core.tables import Device


def found(settings: Settings) -> list[Device]:
    """Every slot: GPUs by UUID, processor slots, and one for the chat worker."""
    processor = [
        Device(id=f"cpu:{n}", kind="cpu", label=f"CPU {n}", memory=_host_memory())
        for n in range(settings.cpu_runs)
    ]
    return [*gpus(), *processor, Device(id="serve:0", kind="serve", label="Chat", memory=0)]


def gpus() -> list[Device]:
    """GPUs that this process may use: a mask that is set already is respected."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
        every = [
            Device(
                id=pynvml.nvmlDeviceGetUUID(handle),
                kind="gpu",
                label=f"GPU {n}: {pynvml.nvmlDeviceGetName(handle)}",
                memory=int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
            )
            for n, handle in enumerate(handles)
        ]
    finally:
        pynvml.nvmlShutdown()
    return visible(every, os.environ.get("CUDA_VISIBLE_DEVICES"))


def visible(every: list[Device], mask: str | None) -> list[Device]:
    """Those of the GPUs that ``CUDA_VISIBLE_DEVICES`` names, by number or UUID, as CUDA reads it."""
    if mask is None:
        return every
    chosen: list[Device] = []
    for part in (part.strip() for part in mask.split(",")):
        if part.isdigit():
            match = every[int(part) : int(part) + 1]
        else:
            match = [device for device in every if part and device.id.startswith(part)]
        if len(match) != 1:
            break  # CUDA ignores everything from the first entry that it does not know.
        chosen += match
    return chosen


def mask_for(held: Sequence[Device], devices: Sequence[Device]) -> str:
    """UUIDs of the GPUs that a worker on these slots sees; empty for none. Chat shares one, a free one first."""
    if held[0].kind == "gpu":
        return ",".join(card(slot) for slot in held)
    cards = [other for other in devices if other.kind == "gpu"]
    if held[0].kind == "cpu" or not cards:
        return ""
    return card(min(cards, key=lambda slot: slot.job_id is not None))


def binding(mask: str) -> dict[str, str]:
    """What must be in the environment before a worker's imports."""
    return {
        "CUDA_VISIBLE_DEVICES": mask,
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "TUNESMITH_DEVICE": "cuda" if mask else "cpu",
    }


def threads(settings: Settings, others: int) -> dict[str, str]:
    """Threads of a worker beside ``others`` that train: a worker that is warm already takes them over."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"OMP_NUM_THREADS": str(settings.threads or max(1, cores - others))}


def _host_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
