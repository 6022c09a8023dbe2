"""``data import | list | show``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, print_fields, print_json, print_rows
from studio_core.data import store
from studio_core.data.mapping import Mapping
from studio_core.errors import BadInput
from studio_core.tables import Dataset
from studio_core.texts import text

File = Annotated[Path, typer.Argument(help="JSONL, JSON, CSV, TSV or Parquet, gzipped or not.")]
Name = Annotated[str, typer.Argument(metavar="DATASET", help="NAME, or NAME@VERSION for an older version.")]


def import_(
    file: File,
    name: Annotated[str | None, typer.Option(help="Name of the dataset; default the file's name.")] = None,
    mapping: Annotated[
        str | None, typer.Option(help="JSON that corrects the mapping found: shape, roles, constants.")
    ] = None,
    fill: Annotated[
        list[str] | None, typer.Option(help="Value for a placeholder: NAME=VALUE. Repeatable.")
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Import a file: find its shape, leave bad rows out with their numbers, keep the good ones."""
    with opened(home) as studio:
        if not file.is_file():
            raise BadInput("cli.file_missing", path=file)
        corrected = _corrected(store.inspect_file(studio, file).mapping, mapping, fill or [])
        imported = store.import_file(studio, file, name=name, source=file.name, mapping=corrected)
        document = {
            "dataset": imported.dataset.name,
            "version": imported.dataset.version,
            "shape": imported.dataset.shape,
            "rows": imported.dataset.rows,
            "rejected": imported.rejected,
        }
    if as_json:
        print_json(document)
        return
    print(text("cli.imported", **document))
    for rejected in imported.rejected[:20]:
        print(text("cli.rejected_row", **rejected))


def _corrected(found: Mapping, changes: str | None, fill: list[str]) -> Mapping | None:
    """The mapping with the user's corrections; None if there are none."""
    if not changes and not fill:
        return None
    try:
        values: dict[str, Any] = {**found.model_dump(), **json.loads(changes or "{}")}
        for pair in fill:
            name, equals, value = pair.partition("=")
            if not equals:
                raise BadInput("cli.not_a_pair", value=pair)
            values["fill"] = {**values["fill"], name: value}
        return Mapping.model_validate(values)
    except ValueError as error:
        raise BadInput("cli.mapping_invalid", reason=str(error).splitlines()[0]) from error


def list_(as_json: AsJson = False, home: Home = None) -> None:
    """List all datasets, newest first."""
    with opened(home) as studio:
        store.ensure_samples(studio)
        rows = [_summary(dataset) for dataset in store.all_datasets(studio)]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, ["dataset", "version", "shape", "rows", "created_at"])


def show(
    name: Name,
    limit: Annotated[int, typer.Option(help="How many records to show.", min=0, max=1000)] = 3,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Show what is known of a dataset, and its first records."""
    with opened(home) as studio:
        store.ensure_samples(studio)
        dataset = store.get(studio, name)
        records = store.records(studio, dataset, limit=limit)
    document = {
        **_summary(dataset),
        "sha256": dataset.sha256,
        "source": dataset.source,
        "operation": dataset.operation,
        "parents": dataset.parents,
        "made": dataset.made,
        "mapping": dataset.mapping,
        "rejected": dataset.rejected,
    }
    if as_json:
        print_json({**document, "records": records})
        return
    print_fields(document)
    for record in records:
        print(json.dumps(record, ensure_ascii=False, indent=2, default=str))


def _summary(dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.name,
        "version": dataset.version,
        "shape": dataset.shape,
        "rows": dataset.rows,
        "rejected_count": dataset.rejected_count,
        "bytes": dataset.bytes,
        "created_at": dataset.created_at,
    }


def add_to(cli: typer.Typer) -> None:
    for name, command in (("import", import_), ("list", list_), ("show", show)):
        cli.command(name)(command)
