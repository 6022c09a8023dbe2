"""Rows as JSONL, JSON, CSV or Parquet: streamed, and the same bytes for the same rows."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from studio_core.data import parquet
from studio_core.data.cells import EMPTY, escape_formula, unescape_formula
from studio_core.data.exports.tools import Unfit, as_json
from studio_core.data.shapes import TOOLS

Row = dict[str, Any]

ROLES = {"prompt": "user", "completion": "assistant", "chosen": "assistant", "rejected": "assistant"}
"""Roles of the columns in which one turn may stand as its text."""


@dataclass(frozen=True)
class Table:
    """Columns of the rows, in order, with their Arrow types."""

    columns: Mapping[str, Any]
    kept: frozenset[str]
    """Those in which no value and an empty text are two things."""
    single: frozenset[str] = frozenset()
    """Those in which a turn stands as its text, since no record has anything but one there."""


# CSV


def cells(table: Table) -> Callable[[Row], Row]:
    """A function that gives the cells of a row; a text that no cell can hold raises ``Unfit``."""

    def prepared(row: Row) -> Row:
        return {
            name: _cell(row.get(name), kept=name in table.kept, single=name in table.single)
            for name in table.columns
        }

    return prepared


def _cell(value: Any, *, kept: bool, single: bool) -> str:
    # Before all else: True is a number to Python.
    if isinstance(value, bool):
        return "true" if value else "false"
    if single and isinstance(value, list):
        value = value[0]["content"]
    if isinstance(value, list):
        return escape_formula(as_json(value)) if value else ""
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    # The csv module of Python stops reading there.
    if "\0" in value:
        raise Unfit("nul")
    # An apostrophe alone tells an empty text from no value.
    return escape_formula(value) if value or not kept else EMPTY


def heading_holds(name: str) -> bool:
    """Whether the heading of a CSV file gives this name back."""
    return bool(name) and name == name.strip() and "\0" not in name


def _as_read(row: Row) -> Row:
    return {name: unescape_formula(cell) if cell else None for name, cell in row.items()}


def _csv(target: Path, table: Table, rows: Iterable[Row]) -> int:
    # With a byte order mark, without which Excel reads UTF-8 as the code page of its country.
    with open(target, "w", encoding="utf-8-sig", newline="") as file:
        return _csv_into(file, table, rows)


def _csv_into(file: IO[str], table: Table, rows: Iterable[Row]) -> int:
    # A reader finds out from the heading what separates the cells; what is quoted does not mislead it.
    unclear = any(set(name) & set(";\t|") for name in table.columns)
    heading = csv.writer(file, quoting=csv.QUOTE_ALL if unclear else csv.QUOTE_MINIMAL)
    heading.writerow(escape_formula(name) for name in table.columns)
    writer = csv.writer(file)
    count = 0
    for row in rows:
        writer.writerow(row.values())
        count += 1
    return count


# JSON


def _jsonl(target: Path, table: Table, rows: Iterable[Row]) -> int:
    count = 0
    # \n on every system: the same bytes for the same rows.
    with open(target, "w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(as_json(row) + "\n")
            count += 1
    return count


def _json(target: Path, table: Table, rows: Iterable[Row]) -> int:
    count = 0
    with open(target, "w", encoding="utf-8", newline="\n") as file:
        file.write("[")
        for row in rows:
            file.write((",\n" if count else "\n") + json.dumps(row, ensure_ascii=False, indent=2))
            count += 1
        file.write("\n]\n")
    return count


# Parquet


def _parquet(target: Path | IO[bytes], table: Table, rows: Iterable[Row]) -> int:
    schema = pa.schema(list(table.columns.items()))
    count = 0
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in _batches(rows):
            writer.write_table(pa.Table.from_pylist(batch, schema))
            count += len(batch)
    return count


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    # A row group at a time: memory does not grow with the file.
    while batch := list(islice(left, parquet.ROW_GROUP)):
        yield batch


def copy_stored(stored: Path, target: Path) -> int:
    """The stored file itself; returns its number of rows."""
    shutil.copyfile(stored, target)
    return parquet.rows(stored)


def _columnar(row: Row) -> Row:
    """The row with texts where a column would give every record the keys of all others."""
    # A column of objects would give each record the keys of all others, as null.
    if TOOLS in row and isinstance(row[TOOLS], list):
        row = {**row, TOOLS: as_json(row[TOOLS])}
    return {
        name: [_with_arguments_as_text(turn) for turn in value] if isinstance(value, list) else value
        for name, value in row.items()
    }


def _with_arguments_as_text(turn: Any) -> Any:
    if not isinstance(turn, dict) or "tool_calls" not in turn:
        return turn
    calls = [
        {**call, "function": {**call["function"], "arguments": as_json(call["function"]["arguments"])}}
        for call in turn["tool_calls"]
    ]
    return {**turn, "tool_calls": calls}


def _unchanged(row: Row) -> Row:
    return row


WRITERS: dict[str, Callable[[Path, Table, Iterable[Row]], int]] = {
    "jsonl": _jsonl,
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
}
"""Each writes all rows and says how many they were."""


def row_converter(format: str, table: Table) -> Callable[[Row], Row]:
    """A function that makes of a row what the format writes; raises ``Unfit``."""
    return {"csv": cells(table), "parquet": _columnar}.get(format, _unchanged)


def as_read(format: str) -> Callable[[Row], Row]:
    """A function that makes of a prepared row what a reader finds in the file."""
    return _as_read if format == "csv" else _unchanged


def sample(format: str, table: Table, rows: list[Row]) -> tuple[str, int]:
    """The first row as it is written, and the bytes that these rows take."""
    if format == "csv":
        first, all_of_them = io.StringIO(), io.StringIO()
        _csv_into(first, table, rows[:1])
        _csv_into(all_of_them, table, rows)
        return first.getvalue(), len(all_of_them.getvalue().encode())
    indent = None if format == "jsonl" else 2
    text = json.dumps(rows[0], ensure_ascii=False, indent=indent) if rows else ""
    if format == "parquet":
        buffer = io.BytesIO()
        _parquet(buffer, table, rows)
        return text, buffer.tell()
    # The separator and the line break between two rows.
    return text, sum(len(json.dumps(row, ensure_ascii=False, indent=indent).encode()) + 2 for row in rows)
