"""``data list | show``."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, print_fields, print_json, print_rows
from studio_core.base.tables import Dataset
from studio_core.data import store

Name = Annotated[str, typer.Argument(metavar="DATASET", help="NAME, or NAME@VERSION for an older version.")]


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
    """Show a dataset and its first records."""
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
    for name, command in (("list", list_), ("show", show)):
        cli.command(name)(command)
