"""Records that an operation has made or changed pass the same checks as those of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from studio_core.data.checks import converter
from studio_core.data.mapping import PARTS, Mapping
from studio_core.data.shapes import COLUMNS, TOOLS, Record, Shape

Check = Callable[[Record], Record]


def checker(shape: Shape, keep: Sequence[str]) -> Check:
    """A function that gives a record as it is stored, or raises ``Rejected``."""
    parts = (*COLUMNS[shape], *(part for part in PARTS[shape][1] if part == TOOLS))
    convert = converter(Mapping(shape=shape, columns={part: part for part in parts}))

    def checked(record: Record) -> Record:
        return {**convert(record), **{name: record.get(name) for name in keep}}

    return checked
