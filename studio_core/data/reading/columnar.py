"""Parquet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from studio_core.base.errors import BadInput
from studio_core.data.reading import source
from studio_core.data.reading.source import MAX_COLUMNS, File, Rows
from studio_core.data.turns import Rejected

_BATCH = 64
"""Rows that are held at once; fewer if they are large."""
_BYTES = 16 << 20


def rows(file: File) -> Rows:
    """Numbered from the first; columns of bytes, such as pictures, are left out."""
    # Parquet is read from its end: a gzip has to be unpacked first.
    with source.open_bytes(file) as stream, tempfile.TemporaryFile() as whole:
        readable: Any = stream
        if file.gzipped:
            while block := stream.read(1 << 20):
                whole.write(block)
            readable = whole
        try:
            yield from _rows(readable, file)
        except (pa.ArrowException, OSError, OverflowError) as error:
            raise BadInput("data.parquet_damaged", file=file.source, reason=_first_line(error)) from error


def _rows(stream: IO[bytes], file: File) -> Rows:
    parquet = pq.ParquetFile(stream, pre_buffer=False)  # Else it holds all that it has read.
    names = parquet.schema_arrow.names
    if len(names) > MAX_COLUMNS:
        raise BadInput("data.too_many_columns", file=file.source, columns=len(names), limit=MAX_COLUMNS)
    kept = [field.name for field in parquet.schema_arrow if not _holds_bytes(field.type)]
    for name in names:
        if name not in kept:
            file.notes.add("column_of_bytes", name=name)
    number = size = 0
    for batch in parquet.iter_batches(batch_size=_batch_size(parquet), columns=kept):
        # Counted as it unpacks: a column of one value repeated is a bomb as well.
        size += batch.nbytes
        if size > file.limit:
            raise BadInput("data.unpacks_too_big", file=file.source, limit=file.limit >> 20)
        for row in _values(batch):
            number += 1
            yield number, row


def _batch_size(parquet: pq.ParquetFile) -> int:
    """Rows to read at once, by what they take up on average, unpacked."""
    metadata = parquet.metadata
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    each = size / max(1, metadata.num_rows)
    # By the average, since pictures make rows of megabytes.
    return max(1, min(_BATCH, int(_BYTES / max(1.0, each))))


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_holds_bytes(kind.field(place).type) for place in range(kind.num_fields))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _holds_bytes(kind.value_type)
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def _values(batch: pa.RecordBatch) -> Iterator[Any]:
    """The rows of a batch; one whose text is no Unicode costs no other."""
    try:
        rows = batch.to_pylist()
    except (ValueError, OverflowError) as error:
        if batch.num_rows == 1:
            rows = [Rejected("cell_unreadable", reason=_first_line(error))]
        else:
            # One by one only where the batch fails.
            rows = (row for place in range(batch.num_rows) for row in _values(batch.slice(place, 1)))
    for row in rows:
        yield (
            row if isinstance(row, Rejected) else {name: _without_nulls(value) for name, value in row.items()}
        )


def _without_nulls(value: Any) -> Any:
    """A value without the nulls that a column gives an object for keys which only others have."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200]
