"""What is declared of a kind of thing: its table, what is searched and renamed, what depends on it, its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from studio_core.base.studio import Studio


@dataclass(frozen=True)
class Dependant:
    """Others that hang on a thing: ``texts`` has the sentence ``keeping.<key>``."""

    key: str
    names: Sequence[str]
    blocks: bool = False
    """The thing cannot be deleted while they are there."""


@dataclass(frozen=True)
class Thing:
    """A kind of thing. Functions take a session and a row of ``table``, whose primary key is ``id``."""

    name: str
    """As commands and addresses say it; its texts are ``keeping.kind_<name>``."""
    table: type[Any]
    label: Callable[[Any], str]
    """What a row is called."""
    searched: Sequence[Any]
    """Columns, or expressions of them, in which words are looked for."""
    lists: Sequence[tuple[Any, str]]
    """The same of lists, and mappings, of names: a JSON column and the path in it."""
    sorts: Mapping[str, Any]
    """What a list can be sorted by, besides ``newest``."""
    rename: Callable[[Session, Any, str], None] | None = None
    """Checks the name and sets it, wherever it stands; None: it has no name of its own."""
    archive: Callable[[Any, bool], None] = lambda row, archived: None
    """What changes on a row, besides its mark, when it is archived or taken out again."""
    dependants: Callable[[Session, Any], Iterable[Dependant]] = lambda session, row: ()
    parts: Sequence[Any] = ()
    """Columns that name the thing in rows that go with it, those of parents before those of their children."""
    files: Callable[[Studio, Session, Any], Iterable[Path]] = lambda studio, session, row: ()
    """What lies in the data folder for it alone."""
    listed: Sequence[Any] = field(default=())
    """Conditions that a row must meet to be listed."""
