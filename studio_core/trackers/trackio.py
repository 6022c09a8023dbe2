"""Trackio: an SQLite file for each project; or a server of one's own, or a Space."""

from __future__ import annotations

from pathlib import Path
from shlex import join, quote

from studio_core.trackers.base import ServerOptions, Tracker


def _opened_by(folder: Path, run: str, options: ServerOptions) -> str:
    return f"TRACKIO_DIR={quote(str(folder))} {join(['trackio', 'show', '--project', options.project])}"


TRACKIO = Tracker(
    name="trackio",
    module="trackio",
    install="pip install trackio",
    opened_by=_opened_by,
    Options=ServerOptions,
    keyed=True,
    told_late=True,
)
