"""Records that an operation has made or changed pass the same checks as those of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from studio_core.data.checks import converter
from studio_core.data.mapping import Mapping
from studio_core.data.shapes import COLUMNS, Record, Shape

Check = Callable[[Record], Record]


def checker(shape: Shape, keep: Sequence[str]) -> Check:
    """A function that gives a record as it is stored, or raises ``Rejected``."""
    convert = converter(Mapping(shape=shape, columns={part: part for part in COLUMNS[shape]}))

    def checked(record: Record) -> Record:
        return {**convert(record), **{name: record.get(name) for name in keep}}

    return checked
