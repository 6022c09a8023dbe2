"""Single records that become the last ones of a new version of a dataset, as a person picks them one by one."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.data import parquet, versions
from studio_core.data.naming import checked_name
from studio_core.data.shapes import Record, Shape
from studio_core.data.store import space_for
from studio_core.data.versions import Made

# A version has all records of the one before it: of two that are made at once, one would lack the other's.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Added:
    dataset: Dataset
    records: list[Record]
    """Those that were asked for."""
    added: int
    """How many of them are new to the dataset: it may have had some, or all."""

    @property
    def new(self) -> bool:
        return self.added > 0


@dataclass(frozen=True)
class Origin:
    """Where records come from, as the version tells it."""

    source: str
    operation: str
    options: dict[str, Any]


def append(
    studio: Studio,
    name: str,
    shapes: Sequence[Shape],
    records: Callable[[Shape], Sequence[Record]],
    origin: Origin,
) -> Added:
    """Add to the dataset ``name``, which is made if there is none, what ``records`` gives for its shape.

    ``shapes``: those that take them, of a new dataset the first; raises ``BadInput`` if the dataset is of another.
    Records that it has already are not added again.
    """
    with _ONE_AT_A_TIME:
        named = checked_name(name)
        before = next((each for each in versions.all_datasets(studio) if each.name == named), None)
        shape = Shape(before.shape) if before else shapes[0]
        if before and shape not in shapes:
            wanted = ", ".join(shapes)
            raise BadInput("data.append_shape", dataset=before.name, shape=shape.value, wanted=wanted)
        asked = new = list(records(shape))
        if before:
            new = [
                record for record in asked if not any(known == record for known in _records(studio, before))
            ]
            if not new:
                return Added(before, asked, 0)
        return Added(_stored(studio, named, shape, before, new, origin), asked, len(new))


def _records(studio: Studio, dataset: Dataset) -> Iterator[Record]:
    return parquet.read(versions.parquet_path(studio, dataset))


def _stored(
    studio: Studio, name: str, shape: Shape, before: Dataset | None, new: Sequence[Record], origin: Origin
) -> Dataset:
    descriptor, path = tempfile.mkstemp(suffix=".partial", dir=studio.settings.uploads)
    os.close(descriptor)
    partial = Path(path)
    try:
        with space_for(studio.settings.datasets, partial), open(partial, "w+b") as file:
            records = [*(_records(studio, before) if before else ()), *new]
            sha256 = parquet.write(file, shape, records)
            file.flush()
            os.fsync(file.fileno())
        made = Made(
            name=name,
            shape=shape,
            rows=len(records),
            sha256=sha256,
            source=origin.source,
            operation=origin.operation,
            parents=[before.id] if before else [],
            made={"options": origin.options},
        )
        return versions.add(studio, partial, made)[0]
    finally:
        partial.unlink(missing_ok=True)
