"""A JSON document: a list of records, one wrapped in objects, objects in a row, or columns as pandas writes them."""

from __future__ import annotations

from studio_core.data.reading import sniffing, source
from studio_core.data.reading.jsonstream import JsonStream
from studio_core.data.reading.source import File, Rows, as_row


def rows(file: File) -> Rows:
    """Numbered by record."""
    with source.open_text(file) as text:
        # A megabyte of text at a time.
        stream = JsonStream(iter(lambda: text.read(1 << 20), ""), file.source, file.notes)
        number = 0
        for value in stream.records():
            for row in sniffing.rows_of_columns(value) or [value]:
                number += 1
                yield number, as_row(row)
