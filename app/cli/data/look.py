"""``data search | diff``: find records, and compare two versions."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from app.cli.output import AsJson, Home, opened, print_json, print_rows
from studio_core.browse import browse, diff
from studio_core.browse.browse import Query
from studio_core.data import store, versions
from studio_core.texts import text

_NAMES = "NAME, or NAME@VERSION for an older version"
Name = Annotated[str, typer.Argument(metavar="DATASET", help=f"{_NAMES}.")]
Limit = Annotated[int, typer.Option(help="How many records to show.", min=0, max=1000)]


def add_to(cli: typer.Typer) -> None:
    cli.command("search")(search)
    cli.command("diff")(compare)


def search(
    name: Name,
    words: Annotated[
        str, typer.Argument(help='Words that a record must contain; "in quotes": a phrase.')
    ] = "",
    regex: Annotated[str, typer.Option(help="Regular expression (RE2) to match.")] = "",
    finding: Annotated[
        list[str] | None, typer.Option(help="Only records with this issue in the report. Repeatable.")
    ] = None,
    language: Annotated[str, typer.Option(help="Only records in this language, such as en or zh.")] = "",
    limit: Limit = 10,
    offset: Annotated[int, typer.Option(help="Number of matches to skip.", min=0)] = 0,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Search the records of a dataset."""
    query = Query(search=words, regex=regex, findings=tuple(finding or ()), language=language)
    with opened(home) as studio:
        store.ensure_samples(studio)
        dataset = versions.get(studio, name)
        page = browse.page(studio, dataset, query, offset, limit, count_for=3600.0)
    if as_json:
        rows = [{"row": row, "record": record} for row, record in page.rows]
        print_json(
            {"dataset": dataset.name, "version": dataset.version, "found": page.total, "records": rows}
        )
        return
    print(text("browse.cli_found", total=page.total, rows=dataset.rows))
    for row, record in page.rows:
        print(f"{row}: {json.dumps(record, ensure_ascii=False, default=str)}")


def compare(
    older: Annotated[str, typer.Argument(metavar="OLDER", help=f"{_NAMES}.")],
    newer: Annotated[str, typer.Argument(metavar="NEWER", help=f"{_NAMES}.")],
    limit: Limit = 10,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Show added, removed and changed records between two versions or datasets."""
    with opened(home) as studio:
        store.ensure_samples(studio)
        first, second = versions.get(studio, older), versions.get(studio, newer)
        counts = diff.compare(studio, first, second).counts
        shown = {kind: diff.page(studio, first, second, kind, 0, limit) for kind in diff.KINDS}
    if as_json:
        sides = {
            kind: [
                {
                    "older_row": change.before_row,
                    "older": change.before,
                    "newer_row": change.after_row,
                    "newer": change.after,
                }
                for change in changes
            ]
            for kind, changes in shown.items()
        }
        names = {"older": f"{first.name}@{first.version}", "newer": f"{second.name}@{second.version}"}
        print_json({**names, "counts": counts, **sides})
        return
    print_rows([counts], list(counts))
    for mark, record in _lines(shown):
        print(f"{mark} {json.dumps(record, ensure_ascii=False, default=str)}")


def _lines(shown: dict[diff.Kind, list[diff.Change]]) -> list[tuple[str, object]]:
    """Each side of each change with ``-`` or ``+`` and its row."""
    lines: list[tuple[str, object]] = []
    for changes in shown.values():
        for change in changes:
            if change.before is not None:
                lines.append((f"- {change.before_row}:", change.before))
            if change.after is not None:
                lines.append((f"+ {change.after_row}:", change.after))
    return lines
