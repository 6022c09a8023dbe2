"""NVML without a GPU, for tests: the functions that the studio calls, on cards that a test describes."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

GIB = 1 << 30


class NVMLError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value}")
        self.value = value


LIBRARY_NOT_FOUND, NOT_FOUND, UNKNOWN, LOST, NOT_SUPPORTED = 12, 6, 999, 15, 3


@dataclass
class Card:
    uuid: str
    used: int = GIB // 4
    total: int = 24 * GIB
    processes: dict[int, int | None] = field(default_factory=dict)
    """Bytes of each process id."""
    error: int = 0
    """What NVML answers instead of telling anything."""
    power: int | None = 61_500
    """Milliwatts; None: this GPU does not tell."""


@dataclass
class FakeNvml:
    """Stands for the module ``pynvml``."""

    cards: list[Card] = field(default_factory=list)
    failing: int = 0
    """The error of ``nvmlInit``."""
    inits: int = 0

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0

    def nvmlInit(self) -> None:
        self.inits += 1
        if self.failing:
            raise NVMLError(self.failing)

    def nvmlDeviceGetCount(self) -> int:
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:
        return self.cards[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Card:
        for card in self.cards:
            if card.uuid == uuid:
                return card
        raise NVMLError(NOT_FOUND)

    def nvmlDeviceGetUUID(self, card: Card) -> str:
        return card.uuid

    def nvmlDeviceGetName(self, card: Card) -> str:
        return "Imagined"

    def nvmlDeviceGetMemoryInfo(self, card: Card) -> Any:
        if card.error:
            raise NVMLError(card.error)
        return SimpleNamespace(total=card.total, used=card.used)

    def nvmlDeviceGetUtilizationRates(self, card: Card) -> Any:
        return SimpleNamespace(gpu=37, memory=5)

    def nvmlDeviceGetTemperature(self, card: Card, sensor: int) -> int:
        return 54

    def nvmlDeviceGetPowerUsage(self, card: Card) -> int:
        if card.power is None:
            raise NVMLError(NOT_SUPPORTED)
        return card.power

    def nvmlDeviceGetComputeRunningProcesses(self, card: Card) -> list[Any]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in card.processes.items()]
