"""Numbered schema changes, applied by Alembic; the database is backed up before any.

Alembic costs a third of a second to import, so that it is imported only when the
schema is not the newest one already.
"""

from __future__ import annotations

import fcntl
from pathlib import Path

from sqlalchemy import inspect, text

from studio_core.base import backup
from studio_core.base.db import Database
from studio_core.base.errors import StudioError
from studio_core.base.settings import Settings

_VERSIONS = Path(__file__).parent / "versions"


def newest() -> str:
    """The number of the newest schema: the first part of the last file's name."""
    # By the names of files, so that no module of Alembic is imported for it.
    return max(file.name.split("_")[0] for file in _VERSIONS.glob("[0-9]*.py"))


def current(db: Database) -> str | None:
    """The number of this database's schema; None for an empty file."""
    with db.read() as session:
        if not inspect(session.connection()).has_table("alembic_version"):
            return None
        return session.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(db: Database, settings: Settings) -> None:
    """Bring the schema to the newest number, in one transaction; the database is backed up first.

    Two processes may call this at once, and either may be killed at any moment: the next call
    finds the old schema whole or the new one.
    """
    if current(db) == newest():
        return
    with open(settings.home / "upgrade.lock", "w") as lock:
        # Web process, engine and command line may all start after an update; one upgrades, the others wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Again, now that the lock is held: the one before us may have done it all.
        before = current(db)
        if before == newest():
            return
        # An older program would not know what newer rows mean, and might damage them.
        if before is not None and before > newest():
            raise StudioError("database_newer", path=db.path, found=before, known=newest())
        # An empty file: nothing to keep a copy of.
        if before is None:
            _run_alembic(db)
            return
        kept = backup.copy(db, backup.standard_target(settings, before))
        backup.prune(settings, before, kept)
        try:
            _run_alembic(db)
        except Exception as error:
            # Whatever it was, the person has to hear where the copy lies.
            values = {"path": db.path, "found": before, "known": newest(), "backup": kept}
            raise StudioError("upgrade_failed", reason=error, **values) from error


def _run_alembic(db: Database, number: str = "head") -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["database"] = db
    command.upgrade(config, number)
