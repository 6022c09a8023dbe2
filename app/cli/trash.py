"""``trash list | undo | empty``: what was deleted and can still be brought back."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.output import AsJson, Home, opened, print_json, print_rows
from studio_core.keeping import deleting
from studio_core.texts import text

cli = typer.Typer(help="Deleted runs, models and datasets, for a day.")

Ids = Annotated[list[int], typer.Argument(metavar="NUMBER...", help="Numbers, as trash list shows them.")]


@cli.command("list")
def list_(as_json: AsJson = False, home: Home = None) -> None:
    """List what can still be brought back."""
    with opened(home) as studio:
        rows = [
            {
                "number": row.id,
                "kind": row.kind,
                "name": row.name,
                "bytes": row.bytes,
                "by": row.by,
                "at": row.at,
            }
            for row in deleting.recent(studio)
        ]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ["number", "kind", "name", "bytes", "by", "at"])


@cli.command("undo")
def undo(numbers: Ids, as_json: AsJson = False, home: Home = None) -> None:
    """Bring back what was deleted."""
    with opened(home) as studio:
        # What was deleted last first: it is what others were made of.
        back = [deleting.undo(studio, number) for number in sorted(numbers, reverse=True)]
    if as_json:
        print_json({"names": back})
    else:
        print(text("keeping.brought_back", names=", ".join(back)))


@cli.command("empty")
def empty(as_json: AsJson = False, home: Home = None) -> None:
    """Remove everything in the trash now; it cannot be brought back."""
    with opened(home) as studio:
        rows = deleting.recent(studio)
        freed = deleting.empty(studio, rows)
    if as_json:
        print_json({"removed": len(rows), "bytes": freed})
    else:
        print(text("keeping.cli_emptied", n=len(rows), mb=f"{freed / 1e6:,.1f}"))
