"""``data export | push``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.data.files import Name
from app.cli.output import AsJson, Home, opened, print_json
from studio_core.data import exports, outgoing, store
from studio_core.texts import text

_LAYOUTS = ", ".join(exports.LAYOUTS)


def export(
    name: Name,
    to: Annotated[Path, typer.Option(help="File to write; its ending names the format.")],
    layout: Annotated[str, typer.Option(help=f"Whose shape the rows have: {_LAYOUTS}.")] = "trl",
    format: Annotated[
        str | None, typer.Option(help="jsonl, json, csv or parquet; default the file's ending.")
    ] = None,
    card: Annotated[bool, typer.Option("--card", help="Write a zip of the file and its card.")] = False,
    skip: Annotated[bool, typer.Option("--skip", help="Leave out records that do not fit.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Say what would not fit; write nothing.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Write a dataset to a JSONL, JSON, CSV or Parquet file, in the layout of another program."""
    chosen = (format or _ending(to)).lower()
    with opened(home) as studio:
        store.ensure_samples(studio)
        dataset = store.get(studio, name)
        document: dict[str, Any] = {"dataset": dataset.name, "version": dataset.version}
        if check:
            fit = outgoing.look(studio, dataset, chosen, layout)
            document |= fit.document()
        else:
            done = outgoing.export(studio, dataset, to, chosen, layout=layout, skip=skip, card=card)
            fit = done.fit
            document |= {**fit.written(), "file": done.file}
    if as_json:
        print_json(document)
    elif check:
        print("\n".join(exports.said(fit)))
    else:
        print(text("cli.exported", **document))
        if fit.lost:
            print(exports.said(fit)[0])


def _ending(file: Path) -> str:
    """``.jsonl`` of ``a.jsonl``, and of ``a.jsonl.zip``."""
    return (Path(file.stem) if file.suffix.lower() == ".zip" else file).suffix.lstrip(".")


def add_to(cli: typer.Typer) -> None:
    cli.command("export")(export)
