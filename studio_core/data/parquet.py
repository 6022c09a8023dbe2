"""The Parquet file of a dataset: written in row groups as records come, read page by page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio_core.data.shapes import COLUMNS, Record, Shape

ROW_GROUP = 4096

TEXT = pa.string()

_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_TYPES = {
    "text": TEXT,
    "label": pa.bool_(),
    "completions": pa.list_(TEXT),
    "labels": pa.list_(pa.bool_()),
}


def schema(shape: Shape, keep: Sequence[str] = ()) -> pa.Schema:
    """Columns of the file; ``keep`` are further text columns of prompt-only records."""
    fields = [(name, _TYPES.get(name, _MESSAGES)) for name in COLUMNS[shape]]
    return pa.schema([*fields, *((name, TEXT) for name in keep if name not in COLUMNS[shape])])


class Writer:
    """Writes records in bounded memory and hashes their content, whatever the Parquet library's version."""

    def __init__(self, file: IO[bytes], shape: Shape, keep: Sequence[str] = ()) -> None:
        self._schema = schema(shape, keep)
        self._file = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[Record] = []
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        self._hash = hashlib.sha256(f"{shape}\n".encode())
        self.rows = 0

    def add(self, record: Record) -> None:
        self._waiting.append(record)
        if len(self._waiting) >= ROW_GROUP:
            self._flush()

    def close(self) -> str:
        """Complete the file; returns the SHA-256 of its content."""
        self._flush()
        self._file.close()
        return self._hash.hexdigest()

    def abandon(self) -> None:
        """Let go of a file that will not be completed, whatever state it is in."""
        # Not close(): that would write a footer, and fail again where writing has failed.
        self._file.is_open = False

    def _flush(self) -> None:
        if not self._waiting:
            return
        # In one piece: encoding a list is several times as fast as encoding its members.
        self._hash.update(self._encode(self._waiting)[1:-1].encode())
        self._hash.update(b",")
        columns = [
            pa.array([record[field.name] for record in self._waiting], type=field.type)
            for field in self._schema
        ]
        self._file.write_table(pa.Table.from_arrays(columns, schema=self._schema))
        self.rows += len(self._waiting)
        self._waiting.clear()


def columns(path: Path) -> list[str]:
    """Names of the file's columns."""
    return list(pq.read_schema(path).names)


def rows(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def good_answers(path: Path) -> int:
    """How many rows of a file of judged answers are labelled good."""
    labels = pq.ParquetFile(path).read(columns=["label"])["label"]
    return int(pc.sum(labels).as_py() or 0)


def read(
    path: Path, offset: int = 0, limit: int | None = None, only: Sequence[str] | None = None
) -> Iterator[Record]:
    """Records from ``offset`` on, of all columns or ``only`` these; the row groups that hold them are read."""
    file = pq.ParquetFile(path)
    left = file.metadata.num_rows if limit is None else limit
    first = 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        begin, first = offset - first, first + count
        if offset >= first or left <= 0:
            continue
        begin = max(0, begin)
        table = file.read_row_group(group, only).slice(begin, left)
        left -= table.num_rows
        yield from table.to_pylist()
