"""One version's files as browsing reads them: the records, what the report found, the index of words."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from studio_core.browse import duck
from studio_core.browse.search_index import index_path
from studio_core.data.shapes import Record, without_nulls
from studio_core.reports.features import features_path

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_connections: OrderedDict[Path, DuckDBPyConnection] = OrderedDict()


def connection(folder: Path) -> DuckDBPyConnection:
    """The one connection for a folder of datasets."""
    if folder not in _connections:
        _connections[folder] = duck.connect(folder)
        # One studio, and a second one for a moment while a test or a copy is opened.
        while len(_connections) > 2:
            _connections.popitem(last=False)
    return _connections[folder]


class File:
    """One version's files, and the SQL that reads them."""

    def __init__(self, connection: DuckDBPyConnection, path: Path) -> None:
        self.connection = connection
        self.path = path.resolve()
        features, index = features_path(self.path), index_path(self.path)
        self.features = features if features.is_file() else None
        self.index = index if index.is_file() else None
        metadata = pq.read_metadata(path)
        self.rows: int = metadata.num_rows
        self.schema = metadata.schema.to_arrow_schema()

    @property
    def state(self) -> tuple[Any, ...]:
        """Changes when a report or an index is made."""
        return self.path, *(side and side.stat().st_mtime_ns for side in (self.features, self.index))

    def records(self, numbers: Sequence[int]) -> list[Record]:
        """The records of these rows, in their order."""
        if not numbers:
            return []
        # A list of literals lets DuckDB skip the row groups in which none of them is; they are integers of ours.
        wanted = ", ".join(str(number - 1) for number in numbers)
        names = [field.name for field in self.schema]
        columns = ", ".join(map(duck.quoted, names))
        sql = (
            f"SELECT file_row_number, {columns} FROM read_parquet($file, file_row_number = true) "
            f"WHERE file_row_number IN ({wanted})"
        )
        with duck.statement(self.connection) as cursor:
            found = duck.rows(cursor, sql, {"file": str(self.path)})
        by_number = {row[0] + 1: without_nulls(dict(zip(names, row[1:], strict=True))) for row in found}
        return [by_number[number] for number in numbers]

    def features_of(self, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
        if self.features is None or not numbers:
            return {}
        wanted = ", ".join(map(str, numbers))
        sql = f"SELECT * FROM read_parquet($features) WHERE row IN ({wanted})"
        with duck.statement(self.connection) as cursor:
            found = duck.rows(cursor, sql, {"features": str(self.features)})
            names = [column[0] for column in cursor.description or ()]
        return {row[0]: dict(zip(names, row, strict=True)) for row in found}
