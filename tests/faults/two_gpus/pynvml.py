"""Two GPUs that are not there: in front of the real module on ``PYTHONPATH`` it gives a studio two slots."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

CARDS = ("GPU-00000000-soak-0", "GPU-00000000-soak-1")
NVML_TEMPERATURE_GPU = 0


class NVMLError(Exception):
    """As the real one."""


def nvmlInit() -> None:
    """Nothing to begin."""


def nvmlShutdown() -> None:
    """Nothing to end."""


def nvmlDeviceGetCount() -> int:
    return len(CARDS)


def nvmlDeviceGetHandleByIndex(index: int) -> int:
    return index


def nvmlDeviceGetHandleByUUID(uuid: str | bytes) -> int:
    return CARDS.index(uuid.decode() if isinstance(uuid, bytes) else uuid)


def nvmlDeviceGetUUID(handle: int) -> str:
    return CARDS[handle]


def nvmlDeviceGetName(handle: int) -> str:
    return f"Imagined {handle}"


def nvmlDeviceGetMemoryInfo(handle: int) -> Any:
    return SimpleNamespace(total=24 << 30, used=1 << 28, free=(24 << 30) - (1 << 28))


def nvmlDeviceGetUtilizationRates(handle: int) -> Any:
    return SimpleNamespace(gpu=0, memory=0)


def nvmlDeviceGetTemperature(handle: int, sensor: int) -> int:
    return 40


def nvmlDeviceGetPowerUsage(handle: int) -> int:
    return 30_000


def nvmlDeviceGetComputeRunningProcesses(handle: int) -> list[Any]:
    return []


def nvmlDeviceGetGraphicsRunningProcesses(handle: int) -> list[Any]:
    return []
