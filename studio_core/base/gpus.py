"""GPUs as NVML reports them. A machine without any, or with a broken driver, simply has none.

The driver's library is asked; torch is not needed. Times are short (about a millisecond for
each GPU), but callers should not ask more than once a second.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

# Numbers of nvml.h. All others are taken for a moment's trouble, which passes.
_NOT_FOUND, _LIBRARY_NOT_FOUND, _IS_LOST, _RESET_REQUIRED = 6, 12, 15, 16


@dataclass(frozen=True)
class Gpu:
    uuid: str
    number: int
    """As in ``nvidia-smi``."""
    name: str
    memory: int
    """Bytes in all."""


@dataclass(frozen=True)
class Reading:
    """One look at a GPU; what it does not tell is None."""

    reachable: bool = True
    """False if it fell off the bus or needs a reset."""
    used: int | None = None
    """Bytes, of whichever program."""
    utilisation: int | None = None
    """Percent."""
    temperature: int | None = None
    """Degrees Celsius."""
    power: float | None = None
    """Watts."""
    processes: tuple[tuple[int, int | None], ...] = ()
    """Process ids of those that compute on it, each with its bytes."""


class Gpus:
    """Asks NVML; keeps what it said last while it fails for a moment."""

    def __init__(self, nvml: Any = None) -> None:
        self._nvml = nvml or importlib.import_module("pynvml")
        self._begun = False
        self._absent = False
        # A driver that is asked while a card is being reset fails for seconds: a
        # panel should not flicker, nor the engine start a run.
        self._last: dict[str, Reading] = {}

    def found(self) -> list[Gpu]:
        """All GPUs of this machine, in the driver's order."""
        if not self._begin():
            return []
        with contextlib.suppress(self._nvml.NVMLError):
            return [self._gpu(number) for number in range(self._nvml.nvmlDeviceGetCount())]
        return []

    def read(self, uuid: str) -> Reading:
        """How a GPU is now; if that cannot be told for a moment, how it was before."""
        if not self._begin():
            return self._last.get(uuid, Reading())
        try:
            handle = self._nvml.nvmlDeviceGetHandleByUUID(uuid)
            used = int(self._nvml.nvmlDeviceGetMemoryInfo(handle).used)
        except self._nvml.NVMLError as error:
            # These three do not pass by themselves.
            if getattr(error, "value", None) in (_NOT_FOUND, _IS_LOST, _RESET_REQUIRED):
                self._last[uuid] = Reading(reachable=False)
            return self._last.get(uuid, Reading())
        power = self._told(lambda: self._nvml.nvmlDeviceGetPowerUsage(handle))
        processes = self._told(lambda: self._nvml.nvmlDeviceGetComputeRunningProcesses(handle)) or []
        sensor = self._nvml.NVML_TEMPERATURE_GPU
        self._last[uuid] = Reading(
            used=used,
            utilisation=self._told(lambda: int(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)),
            temperature=self._told(lambda: int(self._nvml.nvmlDeviceGetTemperature(handle, sensor))),
            # NVML counts in milliwatts.
            power=None if power is None else power / 1000,
            processes=tuple((int(process.pid), process.usedGpuMemory) for process in processes),
        )
        return self._last[uuid]

    def _begin(self) -> bool:
        """Open the library once. Where there is none, it is not looked for again."""
        if not self._begun and not self._absent:
            try:
                self._nvml.nvmlInit()
                self._begun = True
            except self._nvml.NVMLError as error:
                # Only this one is for good; a driver may be loaded later.
                self._absent = getattr(error, "value", None) == _LIBRARY_NOT_FOUND
        return self._begun

    def _gpu(self, number: int) -> Gpu:
        handle = self._nvml.nvmlDeviceGetHandleByIndex(number)
        return Gpu(
            uuid=self._nvml.nvmlDeviceGetUUID(handle),
            number=number,
            name=self._nvml.nvmlDeviceGetName(handle),
            memory=int(self._nvml.nvmlDeviceGetMemoryInfo(handle).total),
        )

    def _told(self, ask: Callable[[], T]) -> T | None:
        """The answer, or None from a GPU that does not give this one."""
        try:
            return ask()
        except self._nvml.NVMLError:
            return None
