"""``storage show | thin``: what takes the disk, and the rule for old checkpoints."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.output import AsJson, Home, opened, print_json, print_rows
from studio_core.keeping import storage
from studio_core.texts import text

cli = typer.Typer(help="Disk usage, and a rule for old checkpoints.")


@cli.command("show")
def show(as_json: AsJson = False, home: Home = None) -> None:
    """Show what takes the disk, the largest first."""
    with opened(home) as studio:
        used = storage.usage(studio)
    items = [{"name": item.name, "area": item.area, "bytes": item.bytes} for item in used.items]
    if as_json:
        print_json({"free": used.free, "areas": used.areas, "items": items})
    else:
        print_rows([{"area": area, "bytes": taken} for area, taken in used.areas.items()], ["area", "bytes"])
        print_rows(items, ["name", "area", "bytes"])


@cli.command("thin")
def thin(
    days: Annotated[
        int, typer.Option(help="Only of runs that ended more than so many days ago.")
    ] = storage.OLD,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be removed.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Remove checkpoints of ended runs for good, except the newest complete one and the best."""
    with opened(home) as studio:
        found = storage.old_checkpoints(studio, days)
        n, freed = (0, 0) if dry_run else storage.thin(studio, days)
    rows = [{"job": old.job, "run": old.run, "step": old.step, "bytes": old.bytes} for old in found]
    if as_json:
        print_json({"checkpoints": rows, "removed": n, "bytes": freed})
        return
    print_rows(rows, ["job", "run", "step", "bytes"])
    if not dry_run:
        print(text("keeping.cli_thinned", n=n, mb=f"{freed / 1e6:,.1f}"))
