"""Trackers that a run is also sent to. This list is the only one that names them."""

from __future__ import annotations

from studio_core.base.errors import NotFound
from studio_core.trackers.base import Tracker
from studio_core.trackers.mlflow import MLFLOW
from studio_core.trackers.tensorboard import TENSORBOARD
from studio_core.trackers.trackio import TRACKIO
from studio_core.trackers.wandb import WANDB

TRACKERS: dict[str, Tracker] = {tracker.name: tracker for tracker in (TENSORBOARD, TRACKIO, MLFLOW, WANDB)}


def named(name: str) -> Tracker:
    """Raises ``NotFound`` with the trackers that there are."""
    if name not in TRACKERS:
        raise NotFound("trackers.none", tracker=name[:40], known=", ".join(TRACKERS))
    return TRACKERS[name]


__all__ = ["TRACKERS", "Tracker", "named"]
