"""``search | tag | rename | delete`` of all that is kept: the same commands, added to the group of each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, print_json, print_rows
from studio_core.base.studio import Studio
from studio_core.base.tables import Mark
from studio_core.keeping import deleting, marks, search
from studio_core.keeping.deleting import Effect
from studio_core.keeping.search import Query
from studio_core.keeping.thing import Thing
from studio_core.texts import text

Find = Callable[[Studio, str], int]
"""The id of what somebody named; raises ``NotFound``."""

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="One or more, by name or number.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or number.")]


def add_to(cli: typer.Typer, thing: Thing, find: Find, searching: str = "search") -> None:
    """The commands for one kind of thing. ``searching`` is what the command that searches is called."""

    @cli.command(searching)
    def search_(
        words: Annotated[
            str,
            typer.Argument(
                help="Words that all must occur in name, tags, note or details; tag:NAME is a tag."
            ),
        ] = "",
        star: Annotated[bool, typer.Option("--star", help="Only starred.")] = False,
        archived: Annotated[bool, typer.Option("--archived", help="Only archived.")] = False,
        sort: Annotated[
            str,
            typer.Option(
                help="Order: newest, name, ...; a - before it reverses it; an unknown one lists them."
            ),
        ] = search.NEWEST,
        limit: Annotated[int, typer.Option(help="Maximum number of rows.", min=1, max=10_000)] = 50,
        as_json: AsJson = False,
        home: Home = None,
    ) -> None:
        """Search by words, tags and stars."""
        with opened(home) as studio:
            query = Query(words, star, archived, sort, limit=limit)
            page = search.find(studio, thing, query)
            names = {row.id: thing.label(row) for row in page.rows}
        rows = [_document(row.id, names[row.id], page.marks.get(row.id)) for row in page.rows]
        if as_json:
            print_json({"found": page.total, "rows": rows})
        else:
            print(text("keeping.cli_found", shown=len(rows), total=page.total))
            print_rows(rows, ["id", "name", "starred", "tags", "note"])

    @cli.command("tag")
    def tag(
        names: Names,
        add: Annotated[list[str] | None, typer.Option(help="A tag to add. Repeatable.")] = None,
        remove: Annotated[list[str] | None, typer.Option(help="A tag to remove. Repeatable.")] = None,
        star: Annotated[
            bool | None, typer.Option("--star/--unstar", help="Star, or remove the star.")
        ] = None,
        archive: Annotated[
            bool | None, typer.Option("--archive/--unarchive", help="Hide from lists, or show again.")
        ] = None,
        note: Annotated[str | None, typer.Option(help="A note in Markdown; empty removes it.")] = None,
        as_json: AsJson = False,
        home: Home = None,
    ) -> None:
        """Change tags, star, note, and whether it is archived."""
        with opened(home) as studio:
            ids = list(dict.fromkeys(find(studio, name) for name in names))
            marked = marks.change(
                studio,
                thing,
                ids,
                add=add or (),
                remove=remove or (),
                starred=star,
                archived=archive,
                note=note,
            )
        rows = [_document(id, name, marked[id]) for id, name in zip(ids, names, strict=False)]
        if as_json:
            print_json(rows)
        else:
            print_rows(rows, ["name", "starred", "archived", "tags", "note"])

    @cli.command("rename")
    def rename(
        name: Name,
        new: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
        as_json: AsJson = False,
        home: Home = None,
    ) -> None:
        """Give it another name; what refers to it follows."""
        with opened(home) as studio:
            kept = marks.rename(studio, thing, find(studio, name), new)
        if as_json:
            print_json({"before": name, "name": kept})
        else:
            print(text("keeping.cli_renamed", before=name, name=kept))

    @cli.command("delete")
    def delete(
        names: Names,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Only say what hangs on them, and what the disk gains.")
        ] = False,
        as_json: AsJson = False,
        home: Home = None,
    ) -> None:
        """Delete; for a day it can be brought back by trash undo."""
        with opened(home) as studio:
            ids = list(dict.fromkeys(find(studio, name) for name in names))
            rows = [_effect(effect) for effect in deleting.effects(studio, thing, ids)]
            gone = [] if dry_run else deleting.remove(studio, thing, ids)
        if as_json:
            print_json({"effects": rows, "trash": [deletion.id for deletion in gone]})
            return
        print_rows(rows, ["name", "bytes", "hangs"])
        if gone:
            numbers = " ".join(str(deletion.id) for deletion in gone)
            print(text("keeping.cli_deleted", n=len(gone), numbers=numbers))


def _effect(effect: Effect) -> dict[str, Any]:
    hangs = [text(f"keeping.hangs_{one.key}", others=", ".join(one.names)) for one in effect.dependants]
    return {
        "id": effect.id,
        "name": effect.name,
        "bytes": effect.bytes,
        "blocked": effect.blocked,
        "hangs": hangs,
    }


def _document(id: int, name: str, mark: Mark | None) -> dict[str, Any]:
    return {
        "id": id,
        "name": name,
        "starred": bool(mark and mark.starred),
        "archived": bool(mark and mark.archived),
        "tags": list(mark.tags) if mark else [],
        "note": mark.note if mark else "",
    }
