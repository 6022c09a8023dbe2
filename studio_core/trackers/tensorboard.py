"""TensorBoard: event files in a folder, one for each run."""

from __future__ import annotations

from shlex import join

from studio_core.trackers.base import Tracker

TENSORBOARD = Tracker(
    name="tensorboard",
    module="tensorboard",
    install="pip install tensorboard",
    opened_by=lambda folder, *_: join(["tensorboard", "--logdir", str(folder)]),
)
