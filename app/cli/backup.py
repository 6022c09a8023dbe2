"""``backup``: a copy of the database, also while runs go on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import AsJson, Home, opened, print_json
from studio_core.base import backup as backups
from studio_core.texts import text


def backup(
    to: Annotated[
        Path | None, typer.Option(help="File to write (default: a new file in the data folder).")
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Back up the database and verify the copy. Datasets, models and runs are separate files and not included."""
    with opened(home) as studio:
        target = to.expanduser().absolute() if to else backups.standard_target(studio.settings)
        copy = backups.copy(studio.db, target)
    if as_json:
        print_json({"file": copy, "bytes": copy.stat().st_size})
    else:
        print(text("cli.backup_made", path=copy, size=f"{copy.stat().st_size / 1e6:.1f} MB"))
