"""Deleting that can be undone for a day: rows go into a file, files into ``trash/`` of the data folder.

First the rows, in one transaction with the ``Deletion`` that says where the files were; then the files, each by one
rename. Whoever is killed in between has deleted the rows: ``tidy`` moves what is left. Undo goes the other way round.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio_core.base import atomic, audit, clock
from studio_core.base.errors import BadInput, Conflict, NotFound, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Deletion
from studio_core.keeping import rows
from studio_core.keeping.marks import require
from studio_core.keeping.thing import Dependant, Thing
from studio_core.keeping.things import THINGS

KEPT = timedelta(days=1)
"""For so long a deletion can be undone."""
TRASH = "trash"
_ROWS = "rows.json"


@dataclass(frozen=True)
class Effect:
    """What deleting one thing would do."""

    id: int
    name: str
    dependants: Sequence[Dependant]
    bytes: int

    @property
    def blocked(self) -> bool:
        return any(dependant.blocks for dependant in self.dependants)


def effects(studio: Studio, thing: Thing, ids: Sequence[int]) -> list[Effect]:
    """What hangs on each of these things, and how much of the disk they take."""
    with studio.db.read() as session:
        return [
            Effect(
                row.id,
                thing.label(row),
                list(thing.dependants(session, row)),
                sum(size(path) for path in _files(studio, thing, session, row)),
            )
            for row in require(session, thing, ids)
        ]


def remove(studio: Studio, thing: Thing, ids: Sequence[int]) -> list[Deletion]:
    """Delete these things, the newest first, since what was made of another is newer.

    Raises ``Conflict`` at the first on which others hang; those before it are deleted then.
    """
    return [_remove(studio, thing, id) for id in sorted(set(ids), reverse=True)]


def _remove(studio: Studio, thing: Thing, id: int) -> Deletion:
    with studio.db.read() as session:
        (row,) = require(session, thing, [id])
        _refuse(session, thing, row)
        files = _files(studio, thing, session, row)
        taken = rows.gather(session, thing, id)
    bytes = sum(size(path) for path in files)
    folder = _trash(studio) / f"{thing.name}-{id}-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    try:
        # Before the transaction: reports of a long run are megabytes.
        atomic.write_json(folder / _ROWS, rows.document(taken))
        with studio.db.write() as session:
            (row,) = require(session, thing, [id])
            _refuse(session, thing, row)
            if rows.gather(session, thing, id) != taken:
                raise Conflict("keeping.changed", name=thing.label(row))
            deletion = Deletion(
                kind=thing.name,
                name=thing.label(row),
                numbers=rows.numbers(taken),
                cuts=rows.take(session, taken),
                folder=folder.name,
                files=[str(path.relative_to(studio.settings.home)) for path in files],
                bytes=bytes,
                by=audit.WHO.get(),
            )
            session.add(deletion)
    except BaseException:
        shutil.rmtree(folder)
        raise
    _move_files(studio, deletion)
    audit.note("%s %r deleted", thing.name, deletion.name)
    return deletion


def _refuse(session: Session, thing: Thing, row: object) -> None:
    """Raise what keeps a thing from being deleted."""
    for dependant in thing.dependants(session, row):
        if dependant.blocks:
            named = {"name": thing.label(row), "others": _some(dependant.names)}
            raise Conflict(f"keeping.blocked_{dependant.key}", **named)


def undo(studio: Studio, deletion_id: int) -> str:
    """Bring a thing back as it was; returns its name, which is another one if its own was given away meanwhile."""
    deletion = get(studio, deletion_id)
    thing = THINGS[deletion.kind]
    if deletion.undone_at is not None or deletion.emptied_at is not None:
        raise Conflict("keeping.undone" if deletion.undone_at else "keeping.emptied", name=deletion.name)
    folder = _trash(studio) / deletion.folder
    document = atomic.read_json(folder / _ROWS)
    if document is None:
        raise StudioError("keeping.rows_gone", name=deletion.name, path=folder / _ROWS)
    for place, path in enumerate(deletion.files):
        _put_back(folder / str(place), studio.settings.home / path)
    try:
        with studio.db.write() as session:
            stored = session.get_one(Deletion, deletion.id)
            if stored.undone_at is not None or stored.emptied_at is not None:
                raise Conflict("keeping.undone", name=deletion.name)
            row = rows.put_back(session, thing, document, stored.cuts)
            stored.undone_at = clock.now()
            name = thing.label(row)
    except BaseException:
        _move_files(studio, deletion)
        raise
    shutil.rmtree(folder)
    audit.note("%s %r brought back", thing.name, name)
    return name


def get(studio: Studio, deletion_id: int) -> Deletion:
    with studio.db.read() as session:
        deletion = session.get(Deletion, deletion_id)
    if deletion is None:
        raise NotFound("keeping.no_deletion", id=deletion_id)
    return deletion


def recent(studio: Studio) -> Sequence[Deletion]:
    """What can still be brought back, the newest first."""
    query = select(Deletion).where(Deletion.undone_at.is_(None), Deletion.emptied_at.is_(None))
    with studio.db.read() as session:
        return session.scalars(query.order_by(Deletion.id.desc())).all()


def empty(studio: Studio, deletions: Iterable[Deletion]) -> int:
    """Remove these for good; returns how many bytes that freed."""
    freed = 0
    for deletion in deletions:
        # The row first: what is being emptied cannot be undone any more.
        with studio.db.write() as session:
            stored = session.get_one(Deletion, deletion.id)
            if stored.undone_at is not None or stored.emptied_at is not None:
                continue
            stored.emptied_at = clock.now()
        shutil.rmtree(_trash(studio) / deletion.folder, ignore_errors=True)
        freed += deletion.bytes
    return freed


def tidy(studio: Studio) -> None:
    """Finish what was begun by somebody who was killed, and empty what is older than a day."""
    old = clock.now() - KEPT
    for deletion in recent(studio):
        _move_files(studio, deletion)
    empty(studio, (deletion for deletion in recent(studio) if deletion.at < old))


def _move_files(studio: Studio, deletion: Deletion) -> None:
    folder = _trash(studio) / deletion.folder
    for place, path in enumerate(deletion.files):
        source, target = studio.settings.home / path, folder / str(place)
        if source.exists() and not target.exists():
            source.rename(target)
    atomic.sync_folder(folder)


def _put_back(source: Path, target: Path) -> None:
    """Rename, or fill a folder that is there again: of a run whose model comes back before it."""
    if not source.exists():
        return
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        source.rename(target)
    elif source.is_dir() and target.is_dir():
        for child in list(source.iterdir()):
            _put_back(child, target / child.name)
    # A file of the same name: of a dataset, whose name is the hash of what is in it.


def _files(studio: Studio, thing: Thing, session: Session, row: object) -> list[Path]:
    """What lies in the data folder; never anything else of this machine."""
    home = studio.settings.home
    found = [path for path in thing.files(studio, session, row) if path.exists()]
    outside = [path for path in found if not path.resolve().is_relative_to(home)]
    if outside:
        raise BadInput("keeping.outside", path=outside[0])
    return found


def size(path: Path) -> int:
    """Bytes of a file, or of all in a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118 - of 100,000 files, by the string
            except FileNotFoundError:  # A run that goes on removes old checkpoints.
                continue
    return total


def _trash(studio: Studio) -> Path:
    trash = studio.settings.home / TRASH
    trash.mkdir(exist_ok=True, mode=0o700)
    return trash


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")
