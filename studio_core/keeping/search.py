"""Things found among thousands: by words, tags and stars, in an order, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, func, or_, select
from sqlalchemy.orm import Session

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Mark
from studio_core.keeping.thing import Thing

NEWEST = "newest"
LONGEST = 200
"""Characters of a search; what is longer is no search."""


@dataclass(frozen=True)
class Query:
    """What is looked for, as the address of a list says it."""

    text: str = ""
    """Words that all must be there, in any column; ``tag:NAME`` is a tag."""
    starred: bool = False
    archived: bool = False
    """Only what was archived; else only what was not."""
    sort: str = NEWEST
    """A sort of the thing; with ``-`` before it the other way round."""
    offset: int = 0
    limit: int = 50

    @classmethod
    def read(cls, address: Mapping[str, str], limit: int = 50) -> Query:
        """From the parameters ``q``, ``star``, ``archived``, ``sort`` and ``page`` of an address."""
        page = str(address.get("page", ""))
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1
        return cls(
            text=str(address.get("q", ""))[:LONGEST].strip(),
            starred=address.get("star") == "1",
            archived=address.get("archived") == "1",
            sort=str(address.get("sort", "")) or NEWEST,
            offset=(max(1, number) - 1) * limit,
            limit=limit,
        )

    def address(self, **changed: Any) -> dict[str, str]:
        """The parameters that ``read`` reads, without those that say nothing; with others if ``changed``."""
        values: dict[str, Any] = {
            "q": self.text,
            "star": "1" if self.starred else "",
            "archived": "1" if self.archived else "",
            "sort": "" if self.sort == NEWEST else self.sort,
            "page": self.offset // self.limit + 1 if self.offset else "",
            **changed,
        }
        return {name: str(value) for name, value in values.items() if value not in ("", None)}


@dataclass(frozen=True)
class Page:
    rows: Sequence[Any]
    total: int
    marks: Mapping[int, Mark]
    """By the ids of the rows."""


def find(studio: Studio, thing: Thing, query: Query, *conditions: ColumnElement[bool]) -> Page:
    """The page of things that a query asks for; with ``conditions`` only those that meet them."""
    matches = matching(thing, query, select(thing.table.id)).where(*conditions)
    with studio.db.read() as session:
        # Ids alone first: whole rows of thousands of runs, of which a page shows fifty, are megabytes.
        ids = session.scalars(matches.order_by(*_order(thing, query.sort))).all()
        return Page(*_rows(session, thing, ids[query.offset : query.offset + query.limit], len(ids)))


def counts(
    studio: Studio, thing: Thing, query: Query, column: Any, *conditions: ColumnElement[bool]
) -> dict[str, int]:
    """How many things that match have each value of a column."""
    grouped = matching(thing, query, select(column, func.count())).where(*conditions).group_by(column)
    with studio.db.read() as session:
        return {str(value): n for value, n in session.execute(grouped)}


def matching(thing: Thing, query: Query, what: Select[Any]) -> Select[Any]:
    """``what`` of the things that match, with their marks joined."""
    table = thing.table
    joined = and_(Mark.table == table.__tablename__, Mark.row_id == table.id)
    wanted = what.select_from(table).outerjoin(Mark, joined).where(*thing.listed)
    wanted = wanted.where(func.coalesce(Mark.archived, False) == query.archived)
    if query.starred:
        wanted = wanted.where(Mark.starred)
    for word in query.text.split():
        tag = word.removeprefix("tag:")
        wanted = wanted.where(_tagged(tag) if tag != word else _holds(thing, word))
    return wanted


def _tagged(tag: str) -> ColumnElement[bool]:
    each = func.json_each(Mark.tags).table_valued("value")
    return select(each.c.value).where(each.c.value == tag).exists()


def _holds(thing: Thing, word: str) -> ColumnElement[bool]:
    """Whether a word stands in a column, a note or a tag, or is the number."""
    places = [column.icontains(word, autoescape=True) for column in (*thing.searched, Mark.note)]
    # One by one: in the text of a list letters outside of ASCII are escaped.
    for items in (func.json_each(Mark.tags), *(func.json_each(*each) for each in thing.lists)):
        item = items.table_valued("key", "value")
        # Of a list the keys are numbers, of a mapping names.
        key = case((func.typeof(item.c.key) == "text", item.c.key))
        matches = (cast(part, String).icontains(word, autoescape=True) for part in (key, item.c.value))
        places.append(select(item.c.value).where(or_(*matches)).exists())
    number = word.removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) < 16:
        places.append(thing.table.id == int(number))
    return or_(*places)


def _order(thing: Thing, sort: str) -> list[Any]:
    name = sort.removeprefix("-")
    if name == NEWEST:
        return [thing.table.id.asc() if sort.startswith("-") else thing.table.id.desc()]
    if name not in thing.sorts:
        known = ", ".join((NEWEST, *thing.sorts))
        raise BadInput("keeping.no_sort", sort=name[:40], known=known)
    column = thing.sorts[name]
    # What has no value comes last either way.
    ordered = (column.desc() if sort.startswith("-") else column.asc()).nulls_last()
    return [ordered, thing.table.id.desc()]


def _rows(session: Session, thing: Thing, ids: Sequence[int], total: int) -> tuple[Any, int, Any]:
    rows = {row.id: row for row in session.scalars(select(thing.table).where(thing.table.id.in_(ids)))}
    marked = select(Mark).where(Mark.table == thing.table.__tablename__, Mark.row_id.in_(ids))
    marks = {mark.row_id: mark for mark in session.scalars(marked)}
    return [rows[id] for id in ids], total, marks
