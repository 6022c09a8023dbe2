"""Votes as a file, or as versions of a dataset that a method trains on."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, LabelProject
from studio_core.data import parquet, versions
from studio_core.data.naming import checked_name
from studio_core.data.shapes import COLUMNS, Record
from studio_core.data.versions import Made
from studio_core.labeling import judges as judges_of
from studio_core.labeling.projects import load_project, settings_of
from studio_core.labeling.records import LABELLED_BY, SHAPE_OF, Yield, records

OPERATION = "labelling"
HELD_OUT = "-held-out"


def write(
    studio: Studio,
    project: str | int,
    shape: str,
    target: Path,
    *,
    judges: bool | None = None,
    **filters: Any,
) -> tuple[int, dict[str, int]]:
    """All records as JSON lines; the file appears when it is whole. Returns how many, and the counts.

    ``judges``: labels of judges count where no person voted; None: as the project is set.
    """
    root = _project(studio, project)
    filters["judges"] = _judges(studio, root, judges)
    counted, rows = Yield(), 0
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".partial", dir=target.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            for _, record in records(studio, root, shape, counted, **filters):
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                rows += 1
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        os.replace(name, target)
    finally:
        Path(name).unlink(missing_ok=True)
    return rows, dict(counted.counts)


def _judges(studio: Studio, project: LabelProject, wanted: bool | None) -> list[str]:
    """The judges whose labels are to be used; raises if none may be, although that is wanted."""
    use = settings_of(project).judges if wanted is None else wanted
    return judges_of.usable(studio, project) if use else []


def make_dataset(
    studio: Studio,
    project: str | int,
    shape: str = "preference",
    *,
    name: str = "",
    judges: bool | None = None,
    **filters: Any,
) -> list[Dataset]:
    """A version to train on, and one of the prompts that are held out, if any have records.

    No prompt is on both sides: its own hash decides, and one on which models were compared is trained on.
    """
    root = _project(studio, project)
    if shape not in SHAPE_OF:
        raise BadInput("labeling.unknown_shape", shape=shape[:40], known=", ".join(SHAPE_OF))
    named = checked_name(name or root.name)
    counted, filters["judges"] = Yield(), _judges(studio, root, judges)
    marked = bool(filters["judges"])
    sides = {False: _Side(studio, shape, marked), True: _Side(studio, shape, marked)}
    try:
        for held_out, record in records(studio, root, shape, counted, **filters):
            sides[held_out].add(record)
        if not sides[False].rows:
            raise BadInput("labeling.nothing_to_train", project=root.name, counts=_in_words(counted))
        return [
            side.stored(root, named + (HELD_OUT if held_out else ""), counted)
            for held_out, side in sides.items()
            if side.rows
        ]
    finally:
        for side in sides.values():
            side.discard()


def _project(studio: Studio, project: str | int) -> LabelProject:
    with studio.db.read() as session:
        return load_project(session, project)


def _in_words(counted: Yield) -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.counts.items()) or "-"


class _Side:
    """One side of the split while it is written."""

    def __init__(self, studio: Studio, shape: str, marked: bool) -> None:
        self._studio = studio
        self._shape = SHAPE_OF[shape]
        self._keep = [LABELLED_BY] if marked else []
        descriptor, name = tempfile.mkstemp(suffix=".partial", dir=studio.settings.uploads)
        self._path = Path(name)
        os.close(descriptor)
        self._file = open(self._path, "w+b")  # noqa: SIM115 - stored() or discard() closes it
        self._writer = parquet.Writer(self._file, self._shape, self._keep)
        self.rows = 0

    def add(self, record: Record) -> None:
        self._writer.add({name: record[name] for name in (*COLUMNS[self._shape], *self._keep)})
        self.rows += 1

    def stored(self, project: LabelProject, name: str, counted: Yield) -> Dataset:
        sha256 = self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        details = Made(
            name=name,
            shape=self._shape,
            rows=self.rows,
            sha256=sha256,
            source=f"label:{project.name}",
            operation=OPERATION,
            parents=[project.dataset_id] if project.dataset_id else [],
            made={"options": {"project": project.name}, "counts": dict(counted.counts)},
        )
        return versions.add(self._studio, self._path, details)[0]

    def discard(self) -> None:
        self._writer.abandon()
        self._file.close()
        self._path.unlink(missing_ok=True)
