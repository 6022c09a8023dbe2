"""``data import | import-hub | paste``: bring data in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, print_json
from app.cli.waiting import watch
from studio_core import uploads
from studio_core.data import adding, store
from studio_core.data.mapping import Mapping
from studio_core.data.store import Imported
from studio_core.engine_process import ensure_engine
from studio_core.errors import BadInput, StudioError
from studio_core.reasons import ending
from studio_core.states import State
from studio_core.studio import Studio
from studio_core.texts import text

Files = Annotated[
    list[Path],
    typer.Argument(
        help="JSONL, JSON, CSV, TSV, Parquet or text, gzipped or not, ZIP and TAR archives, and folders: "
        "together they become one dataset."
    ),
]
Name = Annotated[str | None, typer.Option(help="Name of the dataset; default the first file's name.")]
Changes = Annotated[
    str | None,
    typer.Option("--mapping", help="JSON that corrects the mapping found: shape, roles, constants."),
]
Fill = Annotated[list[str] | None, typer.Option(help="Value for a placeholder: NAME=VALUE. Repeatable.")]


def import_(
    files: Files,
    name: Name = None,
    mapping: Changes = None,
    fill: Fill = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Import files: find their shape, leave bad rows out with their numbers, keep the good ones."""
    for file in files:
        if not file.exists():
            raise BadInput("cli.file_missing", path=file)
    with opened(home) as studio:
        imported = _imported(studio, files, [file.name for file in files], name, mapping, fill)
        _say(imported, as_json)


def paste(
    name: Annotated[str, typer.Option(help="Name of the dataset.")] = "pasted",
    mapping: Changes = None,
    fill: Fill = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Import text from standard input: JSON, JSON lines, CSV or plain text."""
    with opened(home) as studio:
        brought = adding.pasted(studio, sys.stdin.read())
        try:
            found = adding.located(studio, brought)
            _say(_imported(studio, found.paths, found.sources, name, mapping, fill), as_json)
        finally:
            for id in brought.uploads:
                uploads.discard(studio.settings, id)


def import_hub(
    dataset: Annotated[str, typer.Argument(help="Its name on the Hub, such as openai/gsm8k.")],
    subset: Annotated[str, typer.Option(help="Its subset, if it has several.")] = "",
    split: Annotated[str, typer.Option(help="Its split.")] = "train",
    rows: Annotated[int | None, typer.Option(help="The first so many rows; default all.", min=1)] = None,
    revision: Annotated[str, typer.Option(help="Branch, tag or commit; default the newest.")] = "",
    name: Name = None,
    mapping: Changes = None,
    fill: Fill = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Import a dataset of the Hub. Its commit is kept with what was imported; none of its code is run."""
    with opened(home) as studio:
        job = adding.fetch(studio, dataset, subset=subset, split=split, rows=rows, revision=revision)
        ensure_engine(studio)
        job = watch(studio, job.id)
        if job.state != State.SUCCEEDED:
            raise StudioError("adding.fetch_failed", reason=ending(job))
        found = adding.located(studio, adding.Brought(job=job.id))
        imported = _imported(studio, found.paths, found.sources, name, mapping, fill, found.origin)
        _say(imported, as_json, origin=found.origin)


def _imported(
    studio: Studio,
    paths: list[Path],
    sources: list[str],
    name: str | None,
    changes: str | None,
    fill: list[str] | None,
    origin: dict[str, Any] | None = None,
) -> Imported:
    corrected = None
    if changes or fill:
        seen = store.inspect_files(studio, paths, sources=sources, first=adding.LOOKED_AT)
        corrected = _corrected(seen.mapping, changes, fill or [])
    return store.import_files(studio, paths, name=name, sources=sources, mapping=corrected, origin=origin)


def _corrected(found: Mapping, changes: str | None, fill: list[str]) -> Mapping:
    """The mapping found, with the user's corrections."""
    try:
        values: dict[str, Any] = {**found.model_dump(), **json.loads(changes or "{}")}
        for pair in fill:
            name, equals, value = pair.partition("=")
            if not equals:
                raise BadInput("cli.not_a_pair", value=pair)
            values["fill"] = {**values["fill"], name: value}
        return Mapping.model_validate(values)
    except (TypeError, ValueError) as error:
        raise BadInput("cli.mapping_invalid", reason=str(error).splitlines()[0]) from error


def _say(imported: Imported, as_json: bool, **more: Any) -> None:
    document = {
        "dataset": imported.dataset.name,
        "version": imported.dataset.version,
        "shape": imported.dataset.shape,
        "rows": imported.dataset.rows,
        "rejected": imported.rejected,
        **more,
    }
    if as_json:
        print_json(document)
        return
    print(text("cli.imported", **document))
    for rejected in imported.rejected[:20]:
        print(text("data.rejected_row_in" if "file" in rejected else "cli.rejected_row", **rejected))


def add_to(cli: typer.Typer) -> None:
    for name, command in (("import", import_), ("import-hub", import_hub), ("paste", paste)):
        cli.command(name)(command)
