"""What the devices of this machine do now, and for which runs: for the panel that shows it live."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
from sqlalchemy import select

from studio_core.base.gpus import Gpus, Reading
from studio_core.base.studio import Studio
from studio_core.base.tables import UNREACHABLE, Device, Job
from studio_core.runs.slots import card

# Pages ask about once a second, and a reading costs about a millisecond for each GPU.
FRESH = 1.0
"""Seconds for which a reading serves all pages."""


@dataclass(frozen=True)
class DeviceNow:
    """One GPU, or the processor; what cannot be told is None."""

    kind: str
    """``gpu`` or ``cpu``."""
    label: str
    utilisation: float | None
    """Percent."""
    used: int | None
    """Bytes, by all programs."""
    memory: int
    """Bytes in all."""
    temperature: int | None = None
    """Degrees Celsius."""
    power: float | None = None
    """Watts."""
    runs: tuple[tuple[int, str], ...] = ()
    """Numbers and names of the trainings that hold it."""
    foreign_memory: int = 0
    """Bytes that other programs fill so that no run is started here."""
    reachable: bool = True


class Machine:
    """Reads the devices at most once a second, however many pages ask."""

    def __init__(self, studio: Studio, gpus: Gpus | None = None) -> None:
        self._studio = studio
        self._gpus = gpus or Gpus()
        # So that the first page reads.
        self._read_at = -FRESH
        self._now: list[DeviceNow] = []
        self._times = psutil.cpu_times()

    def now(self) -> list[DeviceNow]:
        """The GPUs that the engine offers to runs; on a machine without any the processor."""
        if time.monotonic() - self._read_at >= FRESH:
            self._now = self._read()
            self._read_at = time.monotonic()
        return self._now

    def _read(self) -> list[DeviceNow]:
        with self._studio.db.read() as session:
            slots = session.scalars(select(Device).order_by(Device.label)).all()
            held = [slot.job_id for slot in slots if slot.job_id is not None]
            named = session.execute(select(Job.id, Job.name).where(Job.id.in_(held))).all()
            names = {row.id: row.name for row in named}
        # One panel for each card, however many runs share it.
        gpus = [slot for slot in slots if slot.kind == "gpu" and slot.id == card(slot)]
        if gpus:
            return [_gpu(slot, self._gpus.read(slot.id), slots, names) for slot in gpus]
        return [self._processor(slots, names)]

    def _processor(self, slots: Sequence[Device], names: dict[int, str]) -> DeviceNow:
        memory = psutil.virtual_memory()
        return DeviceNow(
            kind="cpu",
            label="",
            utilisation=self._load(),
            used=int(memory.total - memory.available),
            memory=int(memory.total),
            runs=_runs([slot for slot in slots if slot.kind == "cpu"], names),
        )

    def _load(self) -> float | None:
        """Percent since the reading before; ``psutil.cpu_percent`` counts for each thread alone."""
        before, self._times = self._times, psutil.cpu_times()
        passed = sum(self._times) - sum(before)
        idle = sum(
            # Waiting for a disk is no work; macOS does not count it, hence the 0.
            getattr(self._times, name, 0.0) - getattr(before, name, 0.0)
            for name in ("idle", "iowait")
        )
        # Counters of different cores are read one after the other, so that the sum may be off by a hair.
        return min(100.0, max(0.0, 100 * (1 - idle / passed))) if passed > 0 else None


def cores() -> int:
    return psutil.cpu_count() or 1


def _gpu(slot: Device, reading: Reading, slots: Sequence[Device], names: dict[int, str]) -> DeviceNow:
    return DeviceNow(
        kind="gpu",
        label=slot.label,
        utilisation=reading.utilisation,
        used=reading.used,
        memory=slot.memory,
        temperature=reading.temperature,
        power=reading.power,
        runs=_runs([other for other in slots if card(other) == slot.id], names),
        # -1 stands for a card that does not answer, which ``reachable`` says.
        foreign_memory=max(0, slot.foreign_memory),
        reachable=reading.reachable and slot.foreign_memory != UNREACHABLE,
    )


def _runs(slots: Sequence[Device], names: dict[int, str]) -> tuple[tuple[int, str], ...]:
    held = sorted({slot.job_id for slot in slots if slot.job_id is not None})
    return tuple((id, names.get(id, "")) for id in held)
