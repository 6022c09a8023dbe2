"""An opened studio: the settings and the database. First argument of everything that needs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio_core.base import settings as settings_
from studio_core.base.db import Database, connect
from studio_core.base.migrations import upgrade
from studio_core.base.settings import Settings


@dataclass(frozen=True)
class Studio:
    settings: Settings
    db: Database

    def close(self) -> None:
        self.db.close()


def open_studio(settings: Settings | None = None, **given: Any) -> Studio:
    """Open the data folder, bringing its database to the newest schema first."""
    settings = settings or settings_.load(**given)
    db = connect(settings.database)
    upgrade(db, settings)
    # Once more: the database may have been made just now.
    settings_.make_private(settings)
    return Studio(settings, db)
