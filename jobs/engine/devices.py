"""The devices of this machine as slots, and the environment that binds a worker to one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from studio_core.base.gpus import Gpus, Reading
from studio_core.base.settings import Settings
from studio_core.base.tables import UNREACHABLE, Device
from studio_core.runs.slots import card

# The least that counts as somebody else's program: a driver and a desktop hold
# some hundred megabytes of a card that is free for a run.
GIGABYTE = 1_000_000_000
NOTICED = 256_000_000
"""Bytes by which the memory that others use must change before the table says so."""


_OTHERS = {"data": "Data", "serve": "Chat"}
"""Slots that are no devices: work on data that loads no model goes on beside trainings, and so does a chat."""


def detect_slots(settings: Settings, gpus: Gpus | None = None) -> list[Device]:
    """Every slot: GPUs by UUID, processor slots, one for work on data and one for the chat worker."""
    processor = [
        Device(id=f"cpu:{n}", kind="cpu", label=f"CPU {n}", memory=_host_memory())
        for n in range(settings.cpu_runs)
    ]
    cards = visible(
        [
            Device(id=gpu.uuid, kind="gpu", label=f"GPU {gpu.number}: {gpu.name}", memory=gpu.memory)
            for gpu in (gpus or Gpus()).found()
        ],
        os.environ.get("CUDA_VISIBLE_DEVICES"),
    )
    slots = [slot for device in cards for slot in _slots(device, settings.gpu_runs)]
    others = [Device(id=f"{kind}:0", kind=kind, label=label, memory=0) for kind, label in _OTHERS.items()]
    return [*slots, *processor, *others]


def _slots(device: Device, runs: int) -> list[Device]:
    """As many slots as runs may share the GPU: ``UUID``, ``UUID#2``, ``UUID#3``."""
    further = [
        Device(id=f"{device.id}#{n}", kind="gpu", label=f"{device.label} ({n})", memory=device.memory)
        for n in range(2, runs + 1)
    ]
    return [device, *further]


def changes(slots: Sequence[Device], gpus: Gpus, ours: Callable[[int], bool]) -> dict[str, int]:
    """What to write down of the memory that other programs hold of GPUs now, by the ids of their slots."""
    readings = {uuid: gpus.read(uuid) for uuid in {card(slot) for slot in slots if slot.kind == "gpu"}}
    now: dict[str, int] = {}
    for slot in (slot for slot in slots if slot.kind == "gpu"):
        reading = readings[card(slot)]
        # A driver that answers but gives no figure is no news: the table stays as it is.
        known = reading.used is not None or not reading.reachable
        amount = foreign_memory(slot, reading, slots, ours)
        if known and _differs(slot.foreign_memory, amount):
            now[slot.id] = amount
    return now


def foreign_memory(
    slot: Device, reading: Reading, slots: Sequence[Device], ours: Callable[[int], bool]
) -> int:
    """Bytes of a slot's GPU that other programs fill; 0 if it is free for a run of ours.

    ``ours`` tells of a process id whether it belongs to this studio: the chat worker shares a GPU
    with runs. ``UNREACHABLE`` for a GPU that does not answer.
    """
    if not reading.reachable:
        return UNREACHABLE
    # A card that a run of ours is on is not free anyway, so that nobody asks who fills it.
    if reading.used is None or any(card(s) == card(slot) and s.job_id is not None for s in slots):
        return 0
    mine = [used for pid, used in reading.processes if ours(pid)]
    chatting = any(other.kind == "serve" and other.job_id is not None for other in slots)
    if None in mine or (chatting and not reading.processes):
        return 0  # Some drivers and containers do not tell who uses how much.
    # More than 1 GB and more than a tenth: less leaves room for a run, which must not wait for a desktop.
    rest = reading.used - sum(used for used in mine if used is not None)
    return rest if rest > max(GIGABYTE, slot.memory // 10) else 0


def _differs(before: int, now: int) -> bool:
    # Crossing zero is always written down, however small the step: it decides whether the slot is offered.
    crossed = (before == 0) != (now == 0) or (before == UNREACHABLE) != (now == UNREACHABLE)
    return crossed or abs(before - now) > NOTICED


def visible(every: list[Device], mask: str | None) -> list[Device]:
    """Those of the GPUs that ``CUDA_VISIBLE_DEVICES`` names, by number or UUID, as CUDA reads it."""
    # Unset is not empty: without the variable CUDA shows every card, with an empty one none.
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
    # A run on the processor sees no card, or its libraries would take some of its memory.
    if held[0].kind != "serve" or not cards:
        return ""
    # First a card without foreign memory, then one without a run: beside a training a chat is slower.
    return card(min(cards, key=lambda slot: (bool(slot.foreign_memory), slot.job_id is not None)))


def binding(mask: str) -> dict[str, str]:
    """What must be in the environment before a worker's imports."""
    return {
        "CUDA_VISIBLE_DEVICES": mask,
        # CUDA counts cards by speed unless told otherwise, and nvidia-smi by their place on the bus.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "TUNESMITH_DEVICE": "cuda" if mask else "cpu",
    }


def threads(settings: Settings, others: int) -> dict[str, str]:
    """Threads of a worker beside ``others`` that train: a worker that is warm already takes them over."""
    # In a container or a batch system only the cores that it may use:
    # more threads would wait for each other.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"OMP_NUM_THREADS": str(settings.threads or max(1, cores - others))}


def _host_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
