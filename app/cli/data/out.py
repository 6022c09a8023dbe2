"""``data export | push``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.data.files import Name
from app.cli.output import AsJson, Home, opened, print_json
from studio_core.data import exports, hub_push, outgoing, store
from studio_core.texts import text

_LAYOUTS = ", ".join(exports.LAYOUTS)


def export(
    name: Name,
    to: Annotated[Path, typer.Option(help="File to write; its extension sets the format.")],
    layout: Annotated[str, typer.Option(help=f"Layout of the records: {_LAYOUTS}.")] = "trl",
    format: Annotated[
        str | None, typer.Option(help="jsonl, json, csv or parquet (default: by extension).")
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Write a zip with the file and its dataset card.")
    ] = False,
    skip: Annotated[bool, typer.Option("--skip", help="Skip records that do not fit the layout.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Check only; write nothing.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Write a dataset to a JSONL, JSON, CSV or Parquet file, in the layout of another program."""
    # The name of the file says it already; an option is for names that do not.
    chosen = (format or _ending(to)).lower()
    with opened(home) as studio:
        store.ensure_samples(studio)
        dataset = store.get(studio, name)
        document: dict[str, Any] = {"dataset": dataset.name, "version": dataset.version}
        if check:
            fit = outgoing.look(studio, dataset, chosen, layout)
            document |= fit.document()
        else:
            result = outgoing.export(studio, dataset, to, chosen, layout=layout, skip=skip, card=card)
            fit = result.fit
            document |= {**fit.written(), "file": result.file}
    if as_json:
        print_json(document)
    elif check:
        print("\n".join(exports.describe_fit(fit)))
    else:
        print(text("cli.exported", **document))
        if fit.lost:
            print(exports.describe_fit(fit)[0])


def push(
    name: Name,
    repo: Annotated[str, typer.Option(help="YOUR-NAME/DATASET on the Hub; created if it does not exist.")],
    public: Annotated[bool, typer.Option("--public", help="Make it public (default: private).")] = False,
    layout: Annotated[str, typer.Option(help=f"Layout of the records: {_LAYOUTS}.")] = "trl",
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Upload a dataset and its card to the Hub, with the token of `hf auth login` or HF_TOKEN."""
    with opened(home) as studio:
        store.ensure_samples(studio)
        dataset = store.get(studio, name)
        result = hub_push.push(studio, dataset, repo, public=public, layout=layout)
    if as_json:
        print_json({"dataset": dataset.name, "version": dataset.version, **asdict(result)})
    else:
        key = "exports.hub_done_public" if result.public else "exports.hub_done_private"
        print(text(key, dataset=f"{dataset.name}@{dataset.version}", repo=result.repo), result.url)


def _ending(file: Path) -> str:
    """``.jsonl`` of ``a.jsonl``, and of ``a.jsonl.zip``."""
    return (Path(file.stem) if file.suffix.lower() == ".zip" else file).suffix.lstrip(".")


def add_to(cli: typer.Typer) -> None:
    cli.command("export")(export)
    cli.command("push")(push)
