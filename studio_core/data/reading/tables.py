"""CSV and TSV, with the habits of spreadsheets: other separators, a line that names it, empty columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain

from studio_core.base.errors import BadInput
from studio_core.data.cells import unescape_formula
from studio_core.data.reading import source
from studio_core.data.reading.sniffing import delimiter
from studio_core.data.reading.source import MAX_COLUMNS, MAX_LINE, File, Rows
from studio_core.data.turns import Rejected

# Python's own limit is 131,072 characters, less than a long conversation.
csv.field_size_limit(MAX_LINE)

_EXCEL = 32_767
"""Characters that Excel keeps of a cell: one that is just as long was probably cut."""
_SEPARATOR = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)


def rows(file: File) -> Rows:
    """Numbered from the first below the heading, blank lines not counted."""
    with source.open_text(file) as text:
        lines = source.lines(text, file)
        # Spreadsheets leave empty rows above the heading.
        first = next((line for line in lines if line.strip()), "")
        named = _SEPARATOR.fullmatch(first)
        if named:
            first = next(lines, "")
        separator = named[1] if named else "\t" if file.format == "tsv" else delimiter(first)
        # Strict: otherwise an open quote swallows the rest of the file without a word.
        reader = csv.reader(chain([first], lines), delimiter=separator, strict=True)
        try:
            header = _header(next(reader, []), file)
        except csv.Error as error:
            raise BadInput("data.header_unclear", file=file.source, header=first.strip()[:200]) from error
        yield from _below(reader, header, file)


def _header(cells: list[str], file: File) -> list[str]:
    """A name for each column; those without one are named by their place, repeated ones are numbered."""
    names = [unescape_formula(_text(cell).strip()) for cell in cells]
    # Empty columns at the right, which spreadsheets write.
    while names and not names[-1]:
        names.pop()
    if not names:
        raise BadInput("data.header_unclear", file=file.source, header=", ".join(cells)[:200])
    if len(names) > MAX_COLUMNS:
        raise BadInput("data.too_many_columns", file=file.source, columns=len(names), limit=MAX_COLUMNS)
    known = set(names)
    header: dict[str, None] = {}
    for place, name in enumerate(names, start=1):
        unique = base = name or f"column_{place}"
        number = 2
        while unique in header or (unique != name and unique in known):
            unique = f"{base}_{number}"
            number += 1
        if unique != name:
            file.notes.add("header_named", name=unique)
        header[unique] = None
    return list(header)


def _text(cell: str) -> str:
    """A name that can be shown, even if bytes of it are damaged."""
    return cell.encode("utf-8", "replace").decode()


def _below(reader: Iterator[list[str]], header: list[str], file: File) -> Rows:
    width = len(header)
    number = 0
    while True:
        # Where the row begins: an open quote is only noticed at the end of the file.
        begun = reader.line_num + 1  # type: ignore[attr-defined]
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            if "unexpected end of data" in str(error):
                raise BadInput("data.quote_open", file=file.source, row=number, line=begun) from error
            if "field limit" in str(error):
                limit = MAX_LINE >> 20
                raise BadInput("data.record_too_long", file=file.source, row=number, limit=limit) from error
            yield number, Rejected("csv", reason=str(error))
            continue
        if not any(cells):
            continue
        number += 1
        while len(cells) > width and not cells[-1]:
            cells.pop()
        if _EXCEL in map(len, cells):
            file.notes.add("cut_by_excel", row=number)
        if len(cells) == width:
            # An empty cell is no value; a text that was empty is an apostrophe (``cells.EMPTY``).
            values = [unescape_formula(cell) if cell[:1] == "'" else cell or None for cell in cells]
            yield number, dict(zip(header, values, strict=True))
        else:
            yield number, Rejected("cells", cells=len(cells), columns=width)
