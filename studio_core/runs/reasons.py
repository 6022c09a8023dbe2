"""Why a job waits, and why it ended, each in one sentence that says what can be done."""

from __future__ import annotations

from collections.abc import Sequence

from studio_core import texts
from studio_core.base.states import TERMINAL, Cause, State
from studio_core.base.studio import Studio
from studio_core.base.tables import UNREACHABLE, Device, Job
from studio_core.runs import order, queue
from studio_core.runs.engine_process import engine_alive
from studio_core.runs.kinds import kind_of
from studio_core.runs.slots import card, devices_wanted, slot_kind


def waiting_reason(studio: Studio, job: Job, language: str = texts.DEFAULT_LANGUAGE) -> str:
    """Why a queued job has not started; empty if it is not queued."""
    return waiting_reasons(studio, [job], language).get(job.id, "")


def waiting_reasons(
    studio: Studio, jobs: Sequence[Job], language: str = texts.DEFAULT_LANGUAGE
) -> dict[int, str]:
    """The same of many jobs, for about the price of one; of the queued ones only."""
    jobs = [job for job in jobs if job.state == State.QUEUED]
    if not jobs:
        return {}
    # Once for all rows of a list: with 10,000 waiting jobs a question for each would take seconds.
    places = order.positions(studio, jobs)
    alive, paused, devices = engine_alive(studio), queue.is_paused(studio), queue.devices(studio)
    found = {}
    for job in jobs:
        earlier = queue.predecessor(studio, job) if job.after_id is not None else None
        # From what stops everything to what stops only this job: the first
        # that holds is what can be mended.
        if not alive:
            reason = texts.text("engine.waits_for_engine", language)
        elif paused and not kind_of(job.kind).service:
            reason = texts.text("engine.waits_paused", language)
        elif earlier is not None and earlier.state != State.SUCCEEDED:
            reason = _for_job(earlier, language)
        else:
            reason = _for_device(job, devices, language)
        found[job.id] = reason + texts.text("engine.position", language, position=places[job.id])
    return found


def needs_person(studio: Studio, job: Job) -> bool:
    """Whether a queued job waits for what neither time nor another job brings: somebody has to do something."""
    earlier = queue.predecessor(studio, job)
    if earlier is not None and earlier.state in TERMINAL - {State.SUCCEEDED}:
        return True
    if queue.is_paused(studio) and not kind_of(job.kind).service:
        return True
    devices = queue.devices(studio)
    slots = [device for device in devices if device.kind == slot_kind(job, devices)]
    # Before the engine has looked nothing is known of devices.
    return bool(devices) and len({card(slot) for slot in slots}) < devices_wanted(job)


def _for_job(earlier: Job, language: str) -> str:
    ended = State(earlier.state) in TERMINAL
    state = texts.text(f"shell.state_{earlier.state}", language)
    key = "engine.waits_for_ended" if ended else "engine.waits_for_job"
    return texts.text(key, language, run=earlier.id, name=earlier.name, state=state)


def _for_device(job: Job, devices: Sequence[Device], language: str) -> str:
    slots = [device for device in devices if device.kind == slot_kind(job, devices)]
    # Cards and not slots: two slots of one card are no place for a run on two GPUs.
    wanted, cards = devices_wanted(job), {card(slot) for slot in slots}
    if len(cards) < wanted:
        key = "engine.waits_for_more_gpus" if slots else "engine.waits_without_device"
        return texts.text(key, language, wanted=wanted, found=len(cards))
    free = [slot for slot in slots if slot.job_id is None and not slot.foreign_memory]
    if len({card(slot) for slot in free}) >= wanted:
        return texts.text("engine.waits_shortly", language, device=free[0].label)
    holders = [_holder(slot, language) for slot in slots if slot not in free]
    return texts.text("engine.waits_for_device", language, holders=", ".join(holders))


def _holder(slot: Device, language: str) -> str:
    """Why a slot is not free."""
    if slot.job_id is not None:
        return texts.text("engine.held_by", language, device=slot.label, run=slot.job_id)
    if slot.foreign_memory == UNREACHABLE:
        return texts.text("devices.unreachable", language, device=slot.label)
    # Gigabytes of 10^9 bytes, as makers of cards count.
    used, total = f"{slot.foreign_memory / 1e9:.1f}", f"{slot.memory / 1e9:.1f}"
    return texts.text("engine.filled_by_others", language, device=slot.label, used=used, total=total)


def ending(job: Job, language: str = texts.DEFAULT_LANGUAGE) -> str:
    """Why a job ended and what can be done now; empty if it simply finished or has not."""
    if job.cause is None:
        return job.detail or ""
    said, detail = texts.text(f"engine.cause_{job.cause}", language), job.detail or ""
    # A detail that ends with its own full stop would make two.
    if "{detail}." in said or "{detail}。" in said:
        detail = detail.rstrip(".。")
    sentence = said.format_map({"detail": detail}).strip()
    # Only here a smaller run helps, and the plan has computed already what it would take.
    if job.cause in (Cause.OUT_OF_MEMORY_GPU, Cause.OUT_OF_MEMORY_HOST):
        return " ".join([sentence, *_lighter(job, language)])
    return sentence


def _lighter(job: Job, language: str) -> list[str]:
    """What the same run would need with less, as it was estimated when it was submitted."""
    estimate = job.spec.get("estimate") or {}
    now = f"{estimate.get('memory', 0) / 1e9:.1f}"
    said = []
    for way, values in (estimate.get("lighter") or {}).items():
        needed = f"{values['memory'] / 1e9:.1f}"
        # Every other way than a smaller batch is one of tuning, by its name.
        key, title = (way, "") if way == "batch_size" else ("tuning", texts.text(f"tunings.{way}", language))
        given = {**values, "memory": needed, "now": now, "tuning": title}
        said.append(texts.text(f"engine.lighter_{key}", language, **given))
    return said
