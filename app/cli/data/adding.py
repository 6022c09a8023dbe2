"""``data import | import-hub | paste``: bring data in."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, Home, opened, print_json
from app.cli.waiting import watch
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.curation import adding
from studio_core.data import store, uploads
from studio_core.data.mapping import TURN_PARTS, Mapping
from studio_core.data.store import Imported
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.reasons import ending
from studio_core.texts import text

Files = Annotated[
    list[Path],
    typer.Argument(
        help="JSONL, JSON, CSV, TSV, Parquet or text files, also gzip, ZIP and TAR, or folders; "
        "together they become one dataset."
    ),
]
Name = Annotated[str | None, typer.Option(help="Dataset name (default: the first file's name).")]
Changes = Annotated[
    str | None,
    typer.Option("--mapping", help="Column mapping as JSON: shape, roles, constants."),
]
TurnsInText = Annotated[
    bool | None,
    typer.Option(
        "--turns-in-text/--no-turns-in-text",
        help="Whether conversations that are written as text in a column (JSON, Human:/Assistant:) are read as "
        "turns; default: where all first rows of the column hold one.",
    ),
]
Fill = Annotated[list[str] | None, typer.Option(help="Value for a placeholder: NAME=VALUE. Repeatable.")]


def import_(
    files: Files,
    name: Name = None,
    mapping: Changes = None,
    fill: Fill = None,
    turns_in_text: TurnsInText = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Import files: detect format and shape, skip and list invalid rows."""
    for file in files:
        if not file.exists():
            raise BadInput("cli.file_missing", path=file)
    with opened(home) as studio:
        imported = _imported(
            studio, files, [file.name for file in files], name, _Changes(mapping, fill or [], turns_in_text)
        )
        _say(imported, as_json)


def paste(
    name: Annotated[str, typer.Option(help="Name of the dataset.")] = "pasted",
    mapping: Changes = None,
    fill: Fill = None,
    turns_in_text: TurnsInText = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Import text from standard input: JSON, JSONL, CSV or plain text."""
    with opened(home) as studio:
        brought = adding.pasted(studio, sys.stdin.read())
        try:
            location = adding.located(studio, brought)
            _say(
                _imported(
                    studio,
                    location.paths,
                    location.sources,
                    name,
                    _Changes(mapping, fill or [], turns_in_text),
                ),
                as_json,
            )
        finally:
            # A paste is no file of the user's: nothing of it stays, whatever came of it.
            for id in brought.uploads:
                uploads.discard(studio.settings, id)


def import_hub(
    dataset: Annotated[str, typer.Argument(help="Name on the Hub, such as openai/gsm8k.")],
    subset: Annotated[str, typer.Option(help="Subset, if there are several.")] = "",
    split: Annotated[str, typer.Option(help="Split.")] = "train",
    rows: Annotated[int | None, typer.Option(help="Only the first N rows (default: all).", min=1)] = None,
    revision: Annotated[str, typer.Option(help="Branch, tag or commit (default: latest).")] = "",
    name: Name = None,
    mapping: Changes = None,
    fill: Fill = None,
    turns_in_text: TurnsInText = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Import a dataset from the Hub. Its commit is recorded; its code is never run."""
    with opened(home) as studio:
        job = adding.fetch(studio, dataset, subset=subset, split=split, rows=rows, revision=revision)
        ensure_engine(studio)
        # The command waits for the rows whether asked to or not: what they are mapped to is known only then.
        job = watch(studio, job.id)
        if job.state != State.SUCCEEDED:
            raise StudioError("adding.fetch_failed", reason=ending(job))
        location = adding.located(studio, adding.Brought(job=job.id))
        imported = _imported(
            studio,
            location.paths,
            location.sources,
            name,
            _Changes(mapping, fill or [], turns_in_text),
            location.origin,
        )
        _say(imported, as_json, origin=location.origin)


def _imported(
    studio: Studio,
    paths: list[Path],
    sources: list[str],
    name: str | None,
    changes: _Changes,
    origin: dict[str, Any] | None = None,
) -> Imported:
    corrected = None
    if changes.any:
        inspection = store.inspect_files(studio, paths, sources=sources, first=adding.LOOKED_AT)
        corrected = _corrected(inspection.mapping, changes)
    return store.import_files(studio, paths, name=name, sources=sources, mapping=corrected, origin=origin)


@dataclass(frozen=True)
class _Changes:
    """What the user wants otherwise than it was found."""

    mapping: str | None
    fill: list[str]
    turns_in_text: bool | None

    @property
    def any(self) -> bool:
        return bool(self.mapping or self.fill) or self.turns_in_text is not None


def _corrected(mapping: Mapping, changes: _Changes) -> Mapping:
    """The mapping found, with the user's corrections."""
    try:
        # What was found of turns in text holds for the columns found, and is found anew for others.
        values: dict[str, Any] = {
            **mapping.model_dump(exclude={"turns_in_text"}),
            **json.loads(changes.mapping or "{}"),
        }
        if changes.turns_in_text is not None:
            parts = [part for part in TURN_PARTS if part in values["columns"]]
            values["turns_in_text"] = parts if changes.turns_in_text else []
        for pair in changes.fill:
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
        "remarks": imported.remarks,
        **more,
    }
    if as_json:
        print_json(document)
        return
    print(text("cli.imported", **document))
    for remark in imported.remarks:
        print(f"  {remark['text']}")
    for rejected in imported.rejected[:20]:
        print(text("data.rejected_row_in" if "file" in rejected else "cli.rejected_row", **rejected))


def add_to(cli: typer.Typer) -> None:
    for name, command in (("import", import_), ("import-hub", import_hub), ("paste", paste)):
        cli.command(name)(command)
