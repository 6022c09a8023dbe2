"""MLflow: an SQLite file and a folder of artifacts; or a tracking server."""

from __future__ import annotations

from shlex import join

from studio_core.trackers.base import ServerOptions, Tracker

DATABASE = "mlflow.db"

MLFLOW = Tracker(
    name="mlflow",
    module="mlflow",
    install="pip install mlflow",
    opened_by=lambda folder, *_: join(
        ["mlflow", "ui", "--backend-store-uri", f"sqlite:///{folder / DATABASE}"]
    ),
    Options=ServerOptions,
    keyed=True,
)
