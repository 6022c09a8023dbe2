"""What a job wants of the slots of this machine, and which of them give it."""

from __future__ import annotations

from collections.abc import Sequence

from studio_core.base.tables import Device, Job
from studio_core.runs.kinds import kind_of


def slot_kind(job: Job, slots: Sequence[Device]) -> str:
    """The kind of device that a job takes: a GPU where there is one, unless it asks for another."""
    if slot := kind_of(job.kind).slot:
        return slot
    # Work on data without a model needs no device of the trainings, and does not queue behind them.
    if job.spec.get("light"):
        return "data"
    asked = job.spec.get("device", "auto")
    if asked in ("cpu", "gpu"):
        return str(asked)
    # By what the machine has and not by what is free: a run does not land
    # on a processor because a card was busy.
    return "gpu" if any(slot.kind == "gpu" for slot in slots) else "cpu"


def devices_wanted(job: Job) -> int:
    """How many GPUs a job asks for; of every other kind of slot it is one."""
    return int(job.spec.get("gpus", 1))


def card(device: Device) -> str:
    """UUID of the GPU that a slot is on: one GPU can have several slots."""
    return device.id.partition("#")[0]


def on_different_cards(free: Sequence[Device], wanted: int) -> list[Device] | None:
    """The first free slots on as many different GPUs; None if there are too few."""
    by_card: dict[str, Device] = {}
    for slot in free:
        by_card.setdefault(card(slot), slot)
    return list(by_card.values())[:wanted] if len(by_card) >= wanted else None
