"""Rows of a thing taken out of the database as a document, and put back.

What goes with a thing is found by following ``Thing.parts``; what only names it, by the foreign keys of all tables:
there the reference is cut, and noted, so that no row points nowhere.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, delete, func, insert, select, text, update
from sqlalchemy import Table as Sql
from sqlalchemy.orm import Session

from studio_core.base import clock
from studio_core.base.errors import Conflict
from studio_core.base.tables import Mark, Table
from studio_core.keeping.thing import Thing

Rows = dict[Sql, list[dict[str, Any]]]
"""By table, those of parents before those of their children."""

_MARKS = Table.metadata.tables["mark"]


def document(rows: Rows) -> dict[str, Any]:
    """As JSON: by the names of the tables."""
    return {table.name: [_plain(one) for one in found] for table, found in rows.items() if found}


def numbers(rows: Rows) -> dict[str, int]:
    """The highest number of each table whose rows have one."""
    return {
        table.name: max(one["id"] for one in found)
        for table, found in rows.items()
        if found and "id" in table.primary_key.columns
    }


def take(session: Session, rows: Rows) -> list[Any]:
    """Delete the rows, and set to null what names them; returns what that was."""
    _defer(session)
    cuts = _cut(session, rows)
    for table in reversed(rows):
        for one in rows[table]:
            session.execute(delete(table).where(*_key(table, one)))
    return cuts


def put_back(session: Session, thing: Thing, document: dict[str, Any], cuts: list[Any]) -> Any:
    """Insert the rows again, under other numbers and names where theirs are taken; returns the thing's own row."""
    _defer(session)
    moved: dict[tuple[str, int], int] = {}
    own: int = document[thing.table.__tablename__][0]["id"]
    for name, plain in document.items():
        table = Table.metadata.tables[name]
        found = [_typed(table, one) for one in plain]
        _renumber(session, table, found, moved)
        for one in found:
            _point(session, table, one, moved)
            _give_free_name(session, table, one)
        session.execute(insert(table), found)
    for name, column, key, before in cuts:
        table = Table.metadata.tables[name]
        where = (*_key(table, _typed(table, key)), table.c[column].is_(None))
        session.execute(update(table).where(*where).values({column: before}))
    return session.get_one(thing.table, moved.get((thing.table.__tablename__, own), own))


def _defer(session: Session) -> None:
    """Rows that name each other, such as a vote and the one that took its place, are looked at all together."""
    session.execute(text("PRAGMA defer_foreign_keys = ON"))


def gather(session: Session, thing: Thing, id: int) -> Rows:
    """The thing's row, and those of ``parts`` that name any row gathered before, by table."""
    root: Sql = thing.table.__table__
    taken: Rows = {root: _all(session, root, root.c["id"] == id)}
    for attribute in thing.parts:
        column: Column[Any] = attribute.property.columns[0]
        (key,) = column.foreign_keys
        parents = [one["id"] for one in taken.get(key.column.table, ())]
        found = _all(session, column.table, column.in_(parents)) if parents else []
        there = taken.setdefault(column.table, [])
        # Two columns of a table may lead to the same row.
        known = {_place(column.table, one) for one in there}
        there.extend(one for one in found if _place(column.table, one) not in known)
    marks = [
        mark
        for table, found in list(taken.items())
        for mark in _all(
            session,
            _MARKS,
            (Mark.table == table.name) & Mark.row_id.in_([one["id"] for one in found if "id" in one]),
        )
    ]
    taken[_MARKS] = marks
    # Whatever is named stands before what names it.
    return {table: taken[table] for table in Table.metadata.sorted_tables if table in taken}


def _cut(session: Session, taken: Rows) -> list[Any]:
    """Set to null what names a row that goes; returns what was set."""
    cuts: list[Any] = []
    for table in Table.metadata.sorted_tables:
        gone = {_place(table, one) for one in taken.get(table, ())}
        for column in table.c:
            for key in column.foreign_keys:
                ids = [one[key.column.name] for one in taken.get(key.column.table, ())]
                if not ids:
                    continue
                for one in _all(session, table, column.in_(ids)):
                    if _place(table, one) in gone:
                        continue
                    if not column.nullable:
                        raise AssertionError(f"{table.name}.{column.name} names what is deleted")
                    cuts.append([table.name, column.name, _plain(_identity(table, one)), one[column.name]])
                    session.execute(update(table).where(*_key(table, one)).values({column.name: None}))
    return cuts


def _renumber(
    session: Session, table: Sql, found: list[dict[str, Any]], moved: dict[tuple[str, int], int]
) -> None:
    """Numbers above all others, in the same order, if one is taken: rows inserted in bulk know of no deletion."""
    if "id" not in table.c or not found:
        return
    ids = [one["id"] for one in found]
    if not session.scalar(select(func.count()).where(table.c["id"].in_(ids))):
        return
    first = (session.scalar(select(func.max(table.c["id"]))) or 0) + 1
    for number, one in enumerate(sorted(found, key=lambda one: one["id"]), first):
        moved[table.name, one["id"]] = number
        one["id"] = number


def _point(session: Session, table: Sql, one: dict[str, Any], moved: dict[tuple[str, int], int]) -> None:
    """References by the new numbers; to what is not there any more, none."""
    for column in table.c:
        for key in column.foreign_keys:
            name, value = key.column.table.name, one[column.name]
            one[column.name] = moved.get((name, value), value) if value is not None else None
            if value is None or key.column.table is table:
                continue
            there = select(func.count()).where(key.column == one[column.name])
            if session.scalar(there):
                continue
            if not column.nullable or column.primary_key:
                raise Conflict("keeping.needs_other", table=name, id=value)
            one[column.name] = None


def _give_free_name(session: Session, table: Sql, one: dict[str, Any]) -> None:
    if table.name == "dataset":
        version = table.c["version"]
        same = select(func.max(version)).where(table.c["name"] == one["name"])
        taken = select(version).where(table.c["name"] == one["name"], version == one["version"])
        if session.scalar(taken) is not None:
            one["version"] = (session.scalar(same) or 0) + 1
    for name in ("name", "idempotency_key"):
        column = table.c.get(name)
        if column is None or not column.unique or one[name] is None:
            continue
        names = set(session.scalars(select(column).where(column.startswith(one[name], autoescape=True))))
        if one[name] in names:
            one[name] = next(new for n in range(2, 10**6) if (new := f"{one[name]}-{n}") not in names)


def _all(session: Session, table: Sql, condition: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in session.execute(select(table).where(condition)).mappings()]


def _identity(table: Sql, one: dict[str, Any]) -> dict[str, Any]:
    return {column.name: one[column.name] for column in table.primary_key}


def _place(table: Sql, one: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(_identity(table, one).values())


def _key(table: Sql, one: dict[str, Any]) -> list[Any]:
    return [table.c[name] == value for name, value in _identity(table, one).items()]


def _plain(one: dict[str, Any]) -> dict[str, Any]:
    return {name: clock.iso(value) if isinstance(value, datetime) else value for name, value in one.items()}


def _typed(table: Sql, one: dict[str, Any]) -> dict[str, Any]:
    return {
        name: clock.parse(value) if isinstance(table.c[name].type, DateTime) and value else value
        for name, value in one.items()
    }
