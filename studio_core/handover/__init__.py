"""A run as a folder for another trainer. This list is the only one that names them."""

from __future__ import annotations

from studio_core.base.errors import NotFound
from studio_core.handover.axolotl import AXOLOTL
from studio_core.handover.base import Trainer
from studio_core.handover.llama_factory import LLAMA_FACTORY
from studio_core.handover.ms_swift import MS_SWIFT
from studio_core.handover.nemo_rl import NEMO_RL
from studio_core.handover.openrlhf import OPENRLHF
from studio_core.handover.verl import VERL

TRAINERS: dict[str, Trainer] = {
    trainer.name: trainer for trainer in (AXOLOTL, LLAMA_FACTORY, MS_SWIFT, NEMO_RL, OPENRLHF, VERL)
}


def named(name: str) -> Trainer:
    """Raises ``NotFound`` with the trainers that there are."""
    if name not in TRAINERS:
        raise NotFound("handover.no_trainer", trainer=name[:40], known=", ".join(TRAINERS))
    return TRAINERS[name]


__all__ = ["TRAINERS", "Trainer", "named"]
