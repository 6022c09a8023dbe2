"""The Parquet file of a dataset: written in row groups as records come, read page by page."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio_core.data.shapes import (
    COLUMNS,
    OPTIONAL_KEYS,
    TOOLS,
    Record,
    Shape,
    further_columns,
    has_messages,
    without_nulls,
)

# Few enough that a page reads little and memory is bounded, enough that
# columns compress; also the block of the index of words.
ROW_GROUP = 4096

TEXT = pa.string()

_ARROW = {str: pa.string(), bool: pa.bool_()}
_TYPES = {
    "text": TEXT,
    "label": pa.bool_(),
    "completions": pa.list_(TEXT),
    "labels": pa.list_(pa.bool_()),
    "score": pa.float64(),
    "ranks": pa.list_(pa.int32()),
}


def schema(shape: Shape, keep: Sequence[str] = (), optional: Collection[str] = ()) -> pa.Schema:
    """Columns of the file; ``keep`` are further columns, as text.

    ``optional`` are the keys of messages that some record has, and ``tools``.
    """
    keys = [("role", TEXT), ("content", TEXT)]
    keys += [(key, _ARROW[kind]) for key, kind in OPTIONAL_KEYS.items() if key in optional]
    messages = pa.list_(pa.struct(keys))
    fields = [(name, _TYPES.get(name, messages)) for name in COLUMNS[shape]]
    kept = further_columns(shape, keep) + [TOOLS] * (TOOLS in optional)
    return pa.schema([*fields, *((name, TEXT) for name in kept)])


class Writer:
    """Writes records in bounded memory and hashes their content, whatever the Parquet library's version.

    Keys of messages that no record has are no part of the file: where the first one that has some comes
    late, what was written before is written once more. ``file`` must be open for reading too.
    """

    def __init__(self, file: IO[bytes], shape: Shape, keep: Sequence[str] = ()) -> None:
        self._target = file
        self._shape = shape
        self._keep = keep
        self._optional: set[str] = set()
        self._open()
        self._waiting: list[Record] = []
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        # Of the records and not of the file, whose bytes change with the Parquet library;
        # with the shape, since the same text is another dataset in another.
        self._hash = hashlib.sha256(f"{shape}\n".encode())
        self.rows = 0

    def add(self, record: Record) -> None:
        self._waiting.append(record)
        if len(self._waiting) >= ROW_GROUP:
            self._flush()

    def _open(self) -> None:
        self._schema = schema(self._shape, self._keep, self._optional)
        # zstd packs text well and is read quickly; a judgement.
        self._file = pq.ParquetWriter(self._target, self._schema, compression="zstd")

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
        if new := _optional(self._shape, self._waiting) - self._optional:
            self._optional |= new
            self._widen()
        # In one piece: encoding a list is several times as fast as encoding its members.
        self._hash.update(self._encode(self._waiting)[1:-1].encode())
        self._hash.update(b",")
        columns = [
            pa.array([_value(record, field.name) for record in self._waiting], type=field.type)
            for field in self._schema
        ]
        self._file.write_table(pa.Table.from_arrays(columns, schema=self._schema))
        self.rows += len(self._waiting)
        self._waiting.clear()

    def _widen(self) -> None:
        """Give what is written so far the keys that were met now."""
        self._file.close()
        # Without a name, so that nothing is left behind; beside the target, where there is space.
        with tempfile.TemporaryFile(dir=Path(self._target.name).parent) as before:
            self._target.seek(0)
            shutil.copyfileobj(self._target, before)
            self._target.seek(0)
            self._target.truncate()
            self._open()
            narrow = pq.ParquetFile(before, pre_buffer=False)
            for group in range(narrow.num_row_groups):
                table = narrow.read_row_group(group)
                arrays = [
                    table[field.name].cast(field.type)
                    if field.name in table.column_names
                    else pa.nulls(table.num_rows, field.type)
                    for field in self._schema
                ]
                self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema))


def write(file: IO[bytes], shape: Shape, records: Iterable[Record], keep: Sequence[str] = ()) -> str:
    """Write all records; returns the SHA-256 of their content. ``file`` is for the caller to sync and to close."""
    writer = Writer(file, shape, keep)
    try:
        for record in records:
            writer.add(record)
        return writer.close()
    except BaseException:
        writer.abandon()
        raise


def _optional(shape: Shape, records: list[Record]) -> set[str]:
    """What some of these records have beyond role, content and the columns of their shape."""
    if not has_messages(shape):
        return set()
    keys = {
        key
        for record in records
        for value in record.values()
        if isinstance(value, list)
        for message in value
        if isinstance(message, dict) and len(message) > 2
        for key in message
    }
    return (keys & OPTIONAL_KEYS.keys()) | ({TOOLS} if any(TOOLS in record for record in records) else set())


def _value(record: Record, name: str) -> Any:
    return record.get(name) if name == TOOLS else record[name]


def columns(path: Path) -> list[str]:
    """Names of the file's columns."""
    return list(pq.read_schema(path).names)


def optional(path: Path) -> list[str]:
    """Keys beyond role and content that messages of the file have, and ``tools``."""
    known = pq.read_schema(path)
    types = [field.type for field in known if pa.types.is_list(field.type)]
    structs = [type.value_type for type in types if pa.types.is_struct(type.value_type)]
    keys = dict.fromkeys(field.name for struct in structs for field in struct if field.name in OPTIONAL_KEYS)
    return [*keys, *([TOOLS] if TOOLS in known.names else [])]


def single_turns(path: Path, column: str, role: str) -> bool:
    """Whether each record has in this column one turn of the role, with nothing but its text."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(ROW_GROUP, columns=[column]):
            cells = batch.column(0)
            turns = cells.flatten()
            fields = {field.name: turns.field(place) for place, field in enumerate(turns.type)}
            others = [values for name, values in fields.items() if name in OPTIONAL_KEYS]
            if (
                len(turns) != len(cells)
                or pc.any(pc.not_equal(pc.list_value_length(cells), 1)).as_py()
                or pc.any(pc.not_equal(fields["role"], role)).as_py()
                or any(values.null_count < len(values) for values in others)
            ):
                return False
    return True


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
        # The group is passed over without being read.
        if offset >= first or left <= 0:
            continue
        begin = max(0, begin)
        table = file.read_row_group(group, only).slice(begin, left)
        left -= table.num_rows
        yield from map(without_nulls, table.to_pylist())
