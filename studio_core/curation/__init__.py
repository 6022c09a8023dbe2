"""Operations that make new versions of datasets. This list is the only one that names them."""

from __future__ import annotations

from studio_core.curation.base import Operation
from studio_core.curation.filter import FILTER
from studio_core.errors import BadInput

OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in (FILTER,)}


def named(name: str) -> Operation:
    """The operation of that name; raises ``BadInput`` that lists the known ones."""
    if name not in OPERATIONS:
        raise BadInput("curation.unknown_operation", name=name[:40], known=", ".join(OPERATIONS))
    return OPERATIONS[name]
