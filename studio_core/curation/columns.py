"""Columns that an option may name: those of the records, and what the report knows of each."""

from __future__ import annotations

from typing import Any

from studio_core.base.errors import BadInput
from studio_core.curation import features
from studio_core.curation.base import Source
from studio_core.data.shapes import COLUMNS, Record


def of(source: Source) -> list[str]:
    """The columns of its records."""
    return [*COLUMNS[source.shape], *source.kept]


def needed(source: Source, column: str) -> list[str]:
    """The features that the column is, if it is not one of the records; raises ``BadInput`` if it is neither."""
    if not column or column in of(source):
        return []
    if column not in features.NAMES:
        names = ", ".join([*of(source), *features.NAMES])
        raise BadInput("curation.no_column", column=column[:80], known=names)
    return [column]


def value(column: str, record: Record, features_: dict[str, Any]) -> Any:
    return record[column] if column in record else features_[column]


def text(value: Any) -> str:
    """What a column holds, as a person would write it; turns without their roles."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "\n".join(text(item["content"] if isinstance(item, dict) else item) for item in value)
    return "" if value is None else str(value)
