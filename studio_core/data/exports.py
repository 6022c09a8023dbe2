"""Datasets as files for other programs."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from studio_core.data import parquet
from studio_core.data.shapes import COLUMNS, Record, Shape
from studio_core.errors import BadInput

FORMATS = ("jsonl", "json", "csv", "parquet")

_NUMBER = re.compile(r"[+-]?\d[\d.,]*")


def write(stored: Path, shape: Shape, target: Path, format: str) -> None:
    """Write the stored Parquet file to ``target`` in ``format``; ``target`` appears when it is whole."""
    writer = _WRITERS.get(format)
    if writer is None:
        raise unknown_format(format)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".partial", dir=target.parent)
    os.close(descriptor)
    partial = Path(name)
    try:
        writer(stored, shape, partial)
        partial.chmod(0o644)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def unknown_format(format: str) -> BadInput:
    return BadInput("data.export_format", format=format[:40], formats=", ".join(FORMATS))


def _jsonl(stored: Path, shape: Shape, target: Path) -> None:
    with open(target, "w", encoding="utf-8", newline="\n") as file:
        for record in parquet.read(stored):
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _json(stored: Path, shape: Shape, target: Path) -> None:
    with open(target, "w", encoding="utf-8", newline="\n") as file:
        separator = "[\n"
        for record in parquet.read(stored):
            file.write(separator + json.dumps(record, ensure_ascii=False, indent=2))
            separator = ",\n"
        file.write("\n]\n")


def _csv(stored: Path, shape: Shape, target: Path) -> None:
    """One column for each field; a conversation of one turn is its text, others are JSON."""
    with open(target, "w", encoding="utf-8-sig", newline="") as file:
        rows = _cells(parquet.read(stored), shape)
        csv.writer(file).writerows(rows)


def _cells(records: Iterator[Record], shape: Shape) -> Iterator[list[str]]:
    columns: list[str] = []
    for record in records:
        if not columns:
            columns = [*COLUMNS[shape], *(name for name in record if name not in COLUMNS[shape])]
            yield [defused(column) for column in columns]
        yield [defused(_cell(record[column], column)) for column in columns]


def _cell(value: Any, column: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        plain_role = "user" if column == "prompt" else "assistant"
        single = value[0] if len(value) == 1 and isinstance(value[0], dict) else {}
        if single.get("role") == plain_role and column != "messages":
            return str(single["content"])
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def defused(cell: str) -> str:
    """The cell with an apostrophe before what a spreadsheet would run as a formula."""
    if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and cell and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def _parquet(stored: Path, shape: Shape, target: Path) -> None:
    shutil.copyfile(stored, target)


_WRITERS: dict[str, Callable[[Path, Shape, Path], None]] = {
    "jsonl": _jsonl,
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
}
