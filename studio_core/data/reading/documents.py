"""A JSON document: a list of records, one wrapped in objects, or objects one after the other."""

from __future__ import annotations

from studio_core.data.reading import source
from studio_core.data.reading.jsonstream import JsonStream
from studio_core.data.reading.source import File, Rows, as_row


def rows(file: File) -> Rows:
    """Numbered by record."""
    with source.opened_text(file) as text:
        stream = JsonStream(iter(lambda: text.read(1 << 20), ""), file.source, file.notes)
        for number, value in enumerate(stream.records(), start=1):
            yield number, as_row(value)
