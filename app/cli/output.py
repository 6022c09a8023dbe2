"""What all commands share: opening the studio, and printing for people or for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from getpass import getuser
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.log_file import logged_to_file
from studio_core import texts
from studio_core.base import clock, plain_yaml
from studio_core.base.audit import WHO
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio, open_studio

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Home = Annotated[Path | None, typer.Option("--home", help="Data folder (overrides TUNESMITH_HOME).")]

_WIDE = 400
"""Columns of a table that goes into a file or another program: no cell is folded for a narrow window."""

bound_home: ContextVar[Path | None] = ContextVar("bound_home", default=None)


@contextmanager
def opened(home: Path | None = None) -> Iterator[Studio]:
    """The studio of ``--home``, given before or after the command; what it changes is noted in its logs."""
    studio = open_studio(home=home or bound_home.get())
    WHO.set(f"{_user()}, on the command line")
    try:
        with logged_to_file(studio.settings):
            yield studio
    finally:
        studio.close()


def sentence_of(error: StudioError) -> str:
    """An error as the command line says it: with the command, where the page's sentence names a page or a button.

    Such a sentence stands in ``cli.json`` under the error's own key.
    """
    own = f"cli.{error.key}"
    has_own = own in texts.catalogue(texts.DEFAULT_LANGUAGE)
    return StudioError(own, **error.values).sentence() if has_own else error.sentence()


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # Such as in a container, whose user has no name.
        return "somebody"


def print_json(document: Any) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    return clock.iso(value) if isinstance(value, datetime) else str(value)


def listed(names: Iterable[str], last: str = "or") -> str:
    """Names as a line of help has them: ``sft, dpo or kto``."""
    *others, end = names
    return f"{', '.join(others)} {last} {end}" if others else end


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table for people; cells are printed as they are, without markup."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    width = None if sys.stdout.isatty() else _WIDE
    Console(highlight=False, markup=False, width=width).print(table)


def print_fields(document: Mapping[str, Any]) -> None:
    print_rows([{"": name, " ": value} for name, value in document.items()], ["", " "])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    return str(value)


def options_from(pairs: Sequence[str]) -> dict[str, Any]:
    """The values of ``--set NAME=VALUE``, each read as YAML."""
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadInput("cli.not_a_pair", value=pair)
        try:
            options[name] = plain_yaml.load(value)
        except ValueError as error:
            raise BadInput("cli.not_a_pair", value=pair) from error
    return options
