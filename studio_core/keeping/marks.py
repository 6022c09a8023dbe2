"""Stars, tags, notes and the archive: what a person notes on things, without changing the things."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Mark
from studio_core.keeping.thing import Thing

LONGEST_TAG = 40
MOST_TAGS = 20
LONGEST_NOTE = 20_000
"""Characters: some pages."""
MOST_AT_ONCE = 1_000
"""Things that one action takes; a list shows fewer."""

# No space, so that ``tag:NAME`` in a search is one word; any script.
_TAG = re.compile(r"\w[\w.\-/+]*")


def of(studio: Studio, thing: Thing, ids: Iterable[int]) -> dict[int, Mark]:
    """The marks on things, by their ids; nothing for those without any."""
    with studio.db.read() as session:
        return _marks(session, thing, list(ids))


def tags(studio: Studio, thing: Thing) -> dict[str, int]:
    """All tags of a kind of thing with how many have it, the most used first."""
    with studio.db.read() as session:
        lists = session.scalars(select(Mark.tags).where(Mark.table == thing.table.__tablename__))
        return dict(Counter(tag for tags in lists for tag in tags).most_common())


def change(
    studio: Studio,
    thing: Thing,
    ids: Sequence[int],
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    starred: bool | None = None,
    archived: bool | None = None,
    note: str | None = None,
    card: str | None = None,
) -> Mapping[int, Mark]:
    """Change some marks on all of ``ids``, or on none; what is not given stays."""
    added = [checked_tag(tag) for tag in add]
    for written in (note or "", card or ""):
        if len(written) > LONGEST_NOTE:
            raise BadInput("keeping.note_long", characters=len(written), most=LONGEST_NOTE)
    table = thing.table.__tablename__
    with studio.db.write() as session:
        rows = require(session, thing, ids)
        marks = _marks(session, thing, ids)
        for row in rows if archived is not None else ():
            thing.archive(row, bool(archived))
        for id in ids:
            if id not in marks:
                marks[id] = Mark(
                    table=table, row_id=id, starred=False, archived=False, tags=[], note="", card=""
                )
                session.add(marks[id])
            mark = marks[id]
            mark.tags = sorted({*mark.tags, *added} - set(remove))
            if len(mark.tags) > MOST_TAGS:
                raise BadInput("keeping.many_tags", most=MOST_TAGS)
            mark.starred = mark.starred if starred is None else starred
            mark.archived = mark.archived if archived is None else archived
            mark.note = mark.note if note is None else note
            mark.card = mark.card if card is None else card
        session.flush()
        # A mark that says nothing is none.
        empty = (~Mark.starred, ~Mark.archived, Mark.tags == [], Mark.note == "", Mark.card == "")
        session.execute(delete(Mark).where(Mark.table == table, Mark.row_id.in_(ids), *empty))
        return marks


def rename(studio: Studio, thing: Thing, id: int, name: str) -> str:
    """Give a thing another name, everywhere; returns it as it is kept."""
    if thing.rename is None:
        raise BadInput("keeping.no_name")
    with studio.db.write() as session:
        (row,) = require(session, thing, [id])
        thing.rename(session, row, name)
        return thing.label(row)


def checked_tag(tag: str) -> str:
    """A tag as it was typed, without space around it; raises ``BadInput`` if it will not do."""
    tag = tag.strip().removeprefix("#")
    if len(tag) > LONGEST_TAG or not _TAG.fullmatch(tag):
        raise BadInput("keeping.bad_tag", tag=tag[:LONGEST_TAG], longest=LONGEST_TAG)
    return tag


def require(session: Session, thing: Thing, ids: Sequence[int]) -> list[Any]:
    """The rows of these ids, in their order; raises the ``NotFound`` of the first that is not there."""
    if len(ids) > MOST_AT_ONCE:
        raise BadInput("keeping.many_at_once", number=len(ids), most=MOST_AT_ONCE)
    found = {row.id: row for row in session.scalars(select(thing.table).where(thing.table.id.in_(ids)))}
    missing = next((id for id in ids if id not in found), None)
    if missing is not None:
        raise NotFound("keeping.not_found", id=missing)
    return [found[id] for id in ids]


def _marks(session: Session, thing: Thing, ids: Sequence[int]) -> dict[int, Mark]:
    table = thing.table.__tablename__
    rows = session.scalars(select(Mark).where(Mark.table == table, Mark.row_id.in_(ids)))
    return {mark.row_id: mark for mark in rows}
