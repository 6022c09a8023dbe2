"""Full fine-tuning: every weight learns. Learns most, and needs most memory."""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.tunings.base import Case, Tuning, TuningOptions


def against(case: Case) -> list[BadInput]:
    """Numbers of 4 or 8 bits are too coarse to add small steps to."""
    return [BadInput("tunings.quantised_full", model=case.model)] if case.quantised else []


FULL = Tuning(
    name="full",
    Options=TuningOptions,
    whole=True,
    family="weights",
    trained=lambda size, options: size.parameters,
    frozen=lambda size, width: 0,
    against=against,
)
