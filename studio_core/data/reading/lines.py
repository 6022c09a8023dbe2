"""JSON lines: one record a line; a line that is broken costs no other."""

from __future__ import annotations

import codecs
from typing import Any

from studio_core.data.reading import source
from studio_core.data.reading.sniffing import tolerant_json
from studio_core.data.reading.source import File, Rows, as_row
from studio_core.data.turns import Rejected


def rows(file: File) -> Rows:
    """Numbered by line."""
    decode = tolerant_json(file.notes).decode
    # Nearly every file.
    if file.encoding.startswith("utf-8") and file.line_end != "\r":
        yield from _from_bytes(file, decode)
        return
    with source.open_text(file) as text:
        # The mark was taken by the decoder.
        for number, line in enumerate(source.lines(text, file), start=1):
            row = _row(line, decode)
            if row is not None:
                yield number, row


def _from_bytes(file: File, decode: Any) -> Rows:
    """Faster than text, and safe from separators of Unicode, which may stand in strings."""
    with source.open_bytes(file) as stream:
        if file.encoding == "utf-8-sig":
            stream.read(len(codecs.BOM_UTF8))
        number = 0
        # Bounded: a file without line breaks must not come into memory whole.
        while line := stream.readline(source.MAX_LINE):
            number += 1
            if len(line) >= source.MAX_LINE:
                raise source.line_too_long(file, number)
            try:
                row = _row(line.decode(), decode)
            except UnicodeDecodeError as error:
                # The end of a download that broke off.
                torn = not line.endswith(b"\n") and error.reason == "unexpected end of data"
                row = Rejected("line_torn") if torn else Rejected("line_bytes", place=error.start + 1)
            if row is not None:
                yield number, row


def _row(line: str, decode: Any) -> Any:
    """The row in a line, or ``Rejected``; None if the line is blank."""
    try:
        return as_row(decode(line))
    except (ValueError, RecursionError) as error:
        bare = line.strip().lstrip("\ufeff")
        if not bare:
            return None
        if bare != line and bare[-1:] == ",":
            # A list of records whose brackets were cut off leaves the commas between its lines.
            return _row(bare[:-1], decode)
        reason = getattr(error, "msg", str(error))
        at_end = "Unterminated" in reason or getattr(error, "pos", 0) >= len(line.rstrip())
        if at_end:
            return Rejected("line_torn")
        return Rejected("json", reason=reason, column=getattr(error, "colno", 1))
