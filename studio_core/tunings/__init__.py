"""The ways of tuning that the studio offers: which weights learn. This list is the only one that names them."""

from __future__ import annotations

from studio_core.errors import BadInput
from studio_core.tunings.base import DEFAULT, Tuning
from studio_core.tunings.full import FULL
from studio_core.tunings.lora import LORA
from studio_core.tunings.qlora import QLORA

TUNINGS: dict[str, Tuning] = {tuning.name: tuning for tuning in (FULL, LORA, QLORA)}

__all__ = ["DEFAULT", "TUNINGS", "named"]


def named(name: str) -> Tuning:
    """The way of tuning of that name; raises ``BadInput`` that lists the known ones."""
    if name not in TUNINGS:
        raise BadInput("tunings.unknown", name=name, known=", ".join(TUNINGS))
    return TUNINGS[name]
