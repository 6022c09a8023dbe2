"""Copies of the database that are whole, also while runs go on.

They hold the rows: jobs, metrics, models' names, chats, votes. Datasets, models and runs are
files of the data folder beside them, which never change once they are there.
"""

from __future__ import annotations

import os
from pathlib import Path

from studio_core.base import clock
from studio_core.base.atomic import sync_folder
from studio_core.base.db import Database
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.settings import Settings

FOLDER = "backups"
"""In the data folder."""


def standard_target(settings: Settings, label: str = "") -> Path:
    """``backups/studio-[LABEL-]TIME.db``; the label says which schema it holds, if it was made for an upgrade."""
    stamp = f"{clock.now():%Y%m%dT%H%M%S.%f}"
    return settings.home / FOLDER / f"studio-{f'{label}-' if label else ''}{stamp}.db"


def newest(settings: Settings) -> Path | None:
    found = (settings.home / FOLDER).glob("studio-*.db")
    # By time and not by name: copies that somebody made by hand have other names.
    return max(found, key=lambda file: file.stat().st_mtime, default=None)


def prune(settings: Settings, label: str, made: Path, kept: int = 5) -> None:
    """Keep of the copies with this label the one just made and the newest others, five in all.

    Otherwise an upgrade that fails at each of many starts would fill the disk.
    """
    others = set((settings.home / FOLDER).glob(f"studio-{label}-*.db")) - {made}
    for old in sorted(others, reverse=True)[kept - 1 :]:
        # Two starts may prune at once.
        old.unlink(missing_ok=True)


def copy(db: Database, target: Path) -> Path:
    """Write a consistent copy of the live database; whole and checked, or not there at all.

    Raises BadInput if the file is there already or its folder cannot be written, StudioError
    if the disk is full or the copy is not sound.
    """
    if target.exists():
        raise BadInput("backup.exists", path=target)
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # What a copy that was killed has left; VACUUM writes into an empty file only.
        partial.unlink(missing_ok=True)
        try:
            partial.touch(mode=0o600)  # Chats are in it: for its owner's eyes, wherever it lies.
            _vacuum_into(db, partial)
            with open(partial, "rb") as file:
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(target.parent)
    except OSError as error:
        raise BadInput("backup.not_writable", path=target, reason=error.strerror or str(error)) from error
    return target


def _vacuum_into(db: Database, partial: Path) -> None:
    driver = db.engine.dialect.dbapi
    assert driver is not None
    raw = db.engine.raw_connection()  # VACUUM refuses to run inside a transaction.
    try:
        # One snapshot, while others write; a copy of the file and its log would be of two moments.
        raw.cursor().execute("VACUUM INTO ?", (str(partial),))
        made = driver.connect(str(partial))
        # A copy is trusted when the database is lost, so that it is checked now and not then.
        sound = made.execute("PRAGMA integrity_check").fetchone()[0]
        made.close()
    except driver.Error as error:
        raise StudioError("backup.failed", path=partial.parent, reason=str(error)) from error
    finally:
        raw.close()
    if sound != "ok":
        raise StudioError("backup.failed", path=partial.parent, reason=sound)
