"""A file that was recognised, opened as bytes or as text, never giving more than its limit."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from studio_core.base.errors import BadInput
from studio_core.base.files import open_plain
from studio_core.data.notes import Notes
from studio_core.data.turns import Rejected

# The longest conversations are a few megabytes.
MAX_LINE = 16 << 20
"""Bytes of one line, characters of one cell: beyond that it is no text of records."""
# As in ``columns.columns_of``.
MAX_COLUMNS = 2_000
"""Of one row or table."""

Rows = Iterator[tuple[int, Any]]
"""``(number, row)``; a row is a dict, or ``Rejected`` where it could not be read."""


@dataclass(frozen=True)
class File:
    """A file and what its bytes say it is."""

    path: Path
    source: str
    """Its name as the user called it."""
    format: str
    """``jsonl``, ``json``, ``csv``, ``tsv``, ``parquet`` or ``text``."""
    encoding: str
    """A codec of Python, such as ``utf-8-sig``, ``utf-16`` or ``gb18030``; empty for Parquet."""
    gzipped: bool
    limit: int
    """Bytes that it may unpack to."""
    line_end: str = "\n"
    """``\\r`` if lines end as they did on old Macs."""
    split: str = "paragraph"
    """What one record of a plain text is, if nobody chooses: ``paragraph`` or ``line``."""
    notes: Notes = field(default_factory=Notes, compare=False)
    streams: list[IO[bytes]] = field(default_factory=list, compare=False)
    """Open at the moment: where they stand says how much has been read."""


class _Bounded(io.RawIOBase):
    """Passes bytes on up to a limit, so that a small gzip cannot fill the disk or the memory."""

    def __init__(self, stream: IO[bytes], file: File) -> None:
        self._stream = stream
        self._file = file
        self._left = file.limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._stream.read(len(buffer))
        self._left -= len(block)
        # Before the block is passed on.
        if self._left < 0:
            raise BadInput("data.unpacks_too_big", file=self._file.source, limit=self._file.limit >> 20)
        buffer[: len(block)] = block
        return len(block)


@contextmanager
def open_bytes(file: File) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked; names what is wrong with one that cannot be read to the end."""
    try:
        with open_plain(file.path) as raw, _note_stream(file, raw):
            if not file.gzipped:
                yield raw
                return
            with (
                gzip.open(raw) as unpacked,
                io.BufferedReader(_Bounded(unpacked, file), 1 << 20) as stream,  # type: ignore[arg-type]
            ):
                yield stream
    except EOFError as error:
        raise BadInput("data.gzip_cut_off", file=file.source) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BadInput("data.gzip_damaged", file=file.source) from error
    except UnicodeDecodeError as error:
        raise BadInput("data.text_cut_off", file=file.source, encoding=file.encoding) from error


@contextmanager
def _note_stream(file: File, raw: IO[bytes]) -> Iterator[None]:
    file.streams.append(raw)
    try:
        yield
    finally:
        file.streams.remove(raw)


@contextmanager
def open_text(file: File) -> Iterator[IO[str]]:
    """The file's text; bytes that do not fit its encoding become lone surrogates, which the checks refuse."""
    with open_bytes(file) as stream:
        # No translation of line ends: the readers count lines as they stand.
        with io.TextIOWrapper(stream, file.encoding, errors="surrogateescape", newline="") as text:
            yield text


def lines(text: IO[str], file: File) -> Iterator[str]:
    """Lines with their ends; refuses one that is too long to be a line of text."""
    for number, line in enumerate(iter(lambda: text.readline(MAX_LINE), ""), start=1):
        if len(line) >= MAX_LINE:
            raise line_too_long(file, number)
        yield line


def line_too_long(file: File, number: int) -> BadInput:
    return BadInput("data.line_too_long", file=file.source, row=number, limit=MAX_LINE >> 20)


def as_row(value: Any) -> Any:
    """A JSON value as a row: an object as it is, bare strings and bare conversations under a name."""
    if isinstance(value, dict):
        if len(value) > MAX_COLUMNS:
            return Rejected("too_many_columns", columns=len(value), limit=MAX_COLUMNS)
        return value
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return {"messages": value}
    return Rejected("not_object", kind=type(value).__name__)
