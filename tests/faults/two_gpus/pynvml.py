"""Two GPUs that are not there: in front of the real module on ``PYTHONPATH`` it gives a studio two slots."""

from __future__ import annotations

from typing import Any

from tests.fake_nvml import Card, FakeNvml

_NVML = FakeNvml([Card("GPU-soak-0"), Card("GPU-soak-1")])


def __getattr__(name: str) -> Any:
    return getattr(_NVML, name)
