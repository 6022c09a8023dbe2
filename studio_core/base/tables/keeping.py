"""Tables of what people keep in order: marks on things, and what was deleted and can still be brought back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, inspect, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from studio_core.base.tables.base import Table, now


class Mark(Table):
    """What a person noted on a thing: a row of ``job``, ``model``, ``dataset``, ``chat`` or ``label_project``."""

    __tablename__ = "mark"

    table: Mapped[str] = mapped_column(primary_key=True)
    row_id: Mapped[int] = mapped_column(primary_key=True)
    starred: Mapped[bool] = mapped_column(default=False)
    archived: Mapped[bool] = mapped_column(default=False)
    tags: Mapped[list[Any]] = mapped_column(default=list)
    """In alphabetical order."""
    note: Mapped[str] = mapped_column(default="")
    """Markdown."""
    card: Mapped[str] = mapped_column(default="")
    """Of a model, its card in Markdown as somebody has written it; empty: it is generated."""


class Deletion(Table):
    """One thing that was deleted. Never deleted itself: it says who did it, and which numbers were used."""

    __tablename__ = "deletion"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """A ``studio_core.keeping.things.Thing``."""
    name: Mapped[str]
    """Its name then."""
    numbers: Mapped[dict[str, Any]]
    """The highest number of its rows, by table."""
    cuts: Mapped[list[Any]]
    """What named its rows and was set to null: ``[table, column, key, before]``."""
    folder: Mapped[str]
    """Below ``trash/``: its rows in ``rows.json``, and its files."""
    files: Mapped[list[Any]]
    """Where the files were, below the data folder; in ``folder`` each is called by its place in this list."""
    bytes: Mapped[int]
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now)
    undone_at: Mapped[datetime | None]
    emptied_at: Mapped[datetime | None]
    """From when on its files are gone."""


def number_anew(session: Session, *_: Any) -> None:
    """Give no number twice: specs, addresses and labels go on naming what was deleted. Before each flush."""
    last: dict[str, int] = {}
    for row in session.new:
        columns = inspect(type(row)).primary_key
        if len(columns) != 1 or columns[0].name != "id" or row.id is not None:
            continue
        table = columns[0].table
        if table.name not in last:
            used = func.max(Deletion.numbers[table.name].as_integer())
            last[table.name] = session.scalar(select(used)) or 0
            there = session.scalar(select(func.max(columns[0]))) or 0
            # Where nothing higher was deleted, SQLite counts by itself.
            last[table.name] = last[table.name] if last[table.name] > there else -1
        if last[table.name] >= 0:
            last[table.name] += 1
            row.id = last[table.name]
