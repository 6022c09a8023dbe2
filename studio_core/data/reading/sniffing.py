"""What the first bytes of a file say it is."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.data.notes import Notes

# A long first record is still whole in it, and reading it takes no time.
HEAD = 256 << 10
"""Bytes that are looked at."""

FOREIGN = {
    b"PK\x03\x04": "ZIP / XLSX",
    b"\xd0\xcf\x11\xe0": "XLS",
    b"%PDF": "PDF",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "RAR",
    b"ARROW1": "Arrow",
    b"PARE": "encrypted Parquet",
    b"SQLite format 3": "SQLite",
}
_PROSE = ("txt", "text", "md", "markdown")
_INNER = {"tools", "functions", "messages", "conversations", "conversation", "turns", "history", "tool_calls",
          "annotations", "predictions", "result", "responses", "suggestions", "choices", "drafts",
          "chosen", "rejected", "prompt", "completion"}  # fmt: skip
"""Lists of objects by these names belong to one record."""
WRAPPERS = {"data", "dataset", "result", "results", "response", "payload", "body", "hits", "output", "export",
            "content", "train"}  # fmt: skip
"""Objects by these names may stand around the list of records."""


def text_format(text: str, ending: str, source: str) -> str:
    """``jsonl``, ``json``, ``csv``, ``tsv`` or ``text``, of a file that begins so."""
    lines = ending in ("jsonl", "ndjson")
    # Endings lie: data downloaded from a browser is often called .txt.
    if text[:1] in ("{", "[") and (ending not in _PROSE or _begins_json(text)):
        return _json_format(text, lines)
    if lines:
        return "jsonl"
    if ending == "json":
        raise BadInput("data.json_not_json", file=source, start=text[:20])
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    if ending == "csv" or (ending in ("tsv", "tab") and delimiter(header) in "\t"):
        return "csv" if ending == "csv" else "tsv"
    if ending in _PROSE:
        return _table_or_text(text)
    if "\t" in header or ending in ("tsv", "tab"):
        return "tsv"
    if delimiter(header) in header:
        return "csv"
    raise BadInput("data.format_unknown", file=source)


def _json_format(text: str, lines: bool) -> str:
    first, _, rest = text.partition("\n")
    if "\r" in first.strip():
        first, _, rest = text.partition("\r")
    second = rest.lstrip()[:1]
    try:
        value = json.loads(first)
    except (ValueError, RecursionError) as error:
        if "Extra data" in str(error) and first.rstrip()[getattr(error, "pos", 0) :][:1] == "{":
            return "json"  # Objects one after the other, on one line.
        # A broken first line, or the beginning of a document over many lines.
        same = second == text[:1] and len(first.strip()) > 1
        return "jsonl" if same or (lines and len(first.strip()) > 1) else "json"
    if second:
        return "jsonl"
    wraps = wraps_records(value) or rows_of_columns(value)
    return "jsonl" if lines or not wraps else "json"


def _begins_json(text: str) -> bool:
    """Whether a text that is named prose is a document all the same, not one that begins with a bracket."""
    return bool(re.match(r'\{\s*"|\[\s*[{"\[]|\[\s*\]', text))


def _table_or_text(text: str) -> str:
    """Spreadsheets save tables with tabs as .txt; commas stand in prose too, but not the same number a line."""
    # Excel's own first line, which names the separator.
    if text[:4].lower() == "sep=":
        return "csv"
    # Tabs in a heading are enough; of commas four rows have to agree.
    for separator, enough in (("\t", 1), (";", 4), (",", 4)):
        try:
            table = [
                row
                # 20,000 signs hold some twenty rows.
                for row in csv.reader(io.StringIO(text[:20_000], newline=""), delimiter=separator)
                if any(row)
            ]
        except csv.Error:
            continue
        # The last row may have been cut.
        widths = {len(row) for row in table[:20][: -1 if len(table) > 1 else None]}
        # And a heading of names, not of sentences.
        if len(table) >= enough and len(widths) == 1 and max(widths) > 1 and len("".join(table[0])) < 200:
            return "tsv" if separator == "\t" else "csv"
    return "text"


def wraps_records(value: Any, *, outer: bool = True) -> bool:
    """Whether a JSON value is a list of records, or one or two objects around one."""
    if isinstance(value, list):
        return outer
    return isinstance(value, dict) and any(
        (may_wrap(name) and is_records(inner))
        or (
            outer
            and name.lower() in WRAPPERS
            and isinstance(inner, dict)
            and wraps_records(inner, outer=False)
        )
        for name, inner in value.items()
    )


def rows_of_columns(value: Any) -> list[dict[str, Any]] | None:
    """The rows of a table that was written by column, ``{"prompt": {"0": ..., "1": ...}}``; None of all else."""
    if not isinstance(value, dict) or not value or not all(isinstance(v, dict) for v in value.values()):
        return None
    keys = next(iter(value.values())).keys()
    # As pandas numbers its rows.
    if not keys or list(keys) != [str(n) for n in range(len(keys))]:
        return None
    if any(column.keys() != keys for column in value.values()):
        return None
    return [{name: column[key] for name, column in value.items()} for key in keys]


def may_wrap(name: str) -> bool:
    """Whether a list of objects by this name may be the list of records."""
    return name not in _INNER


def is_records(value: Any) -> bool:
    """Whether a JSON value looks like a list of records, not like the turns of one."""
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    return not {"role", "from"} & value[0].keys()


def delimiter(header: str) -> str:
    """What separates the cells of this heading: the commonest of comma, semicolon, tab and bar."""
    # Names in quotes may have commas of their own.
    bare = re.sub(r'"[^"]*("|$)', "", header)
    return max(",;\t|", key=bare.count)


def tolerant_json(notes: Notes) -> json.JSONDecoder:
    """JSON, and NaN and Infinity as programs write them: they are read as null, and noted."""

    def nothing(name: str) -> None:
        notes.add("not_a_number", name=name)

    return json.JSONDecoder(parse_constant=nothing)
