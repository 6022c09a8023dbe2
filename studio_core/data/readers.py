"""Files that users bring, as numbered rows: JSONL, JSON, CSV, TSV and Parquet, gzipped or not.

What a file is, is found from its bytes; its ending only decides where they leave it open.
Rows are streamed, whatever the file's size. A row's number counts from 1: the line of a JSONL
file, the record of the others (the first below the heading of a CSV). A row that cannot be read
comes as ``Rejected``; a file that cannot be understood raises ``BadInput``.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from studio_core.data import sniffing
from studio_core.data.jsonstream import JsonStream
from studio_core.data.notes import Notes
from studio_core.data.turns import Rejected
from studio_core.errors import BadInput

MAX_LINE = 64 << 20
"""Bytes of one line, characters of one cell: beyond that it is no text of records."""

Rows = Iterator[tuple[int, Any]]
"""``(number, row)``; a row is a dict, or ``Rejected`` where it could not be read."""

csv.field_size_limit(MAX_LINE)


@dataclass(frozen=True)
class File:
    """A file and what its bytes say it is."""

    path: Path
    source: str
    """Its name as the user called it."""
    format: str
    """``jsonl``, ``json``, ``csv``, ``tsv`` or ``parquet``."""
    encoding: str
    """``utf-8``, ``utf-8-sig``, ``utf-16`` or ``utf-32``; empty for Parquet."""
    gzipped: bool
    limit: int
    """Bytes that it may unpack to."""
    notes: Notes = field(default_factory=Notes, compare=False)


def recognise(path: Path, source: str | None = None, *, limit: int = 8 << 30) -> File:
    """What the file is; refused are empty files, archives, and text in other encodings than Unicode."""
    name = source or path.name
    with open(path, "rb") as raw:
        gzipped = raw.read(2) == b"\x1f\x8b"
    file = File(path, name, "", "", gzipped, limit)
    with _opened(file) as stream, _readable(file):
        head = stream.read(sniffing.HEAD)
    if not head.strip():
        raise BadInput("data.file_empty", file=name)
    ending = "".join(path.suffixes[-2:] if source is None else Path(source).suffixes[-2:]).lower()
    format_, encoding = sniffing.sniff(head, ending.removesuffix(".gz").rpartition(".")[2], name)
    return File(path, name, format_, encoding, gzipped, limit)


def rows(file: File, split: str | None = None) -> Rows:
    """All rows of the file, in order; ``split`` says what a row of plain text is."""
    with _opened(file) as stream, _readable(file):
        if file.format == "parquet":
            yield from _parquet_rows(stream, file)
        elif file.format == "jsonl" and file.encoding.startswith("utf-8"):
            yield from _jsonl_rows(stream, file)
        else:
            with io.TextIOWrapper(stream, encoding=file.encoding, newline="") as text:
                yield from {"jsonl": _jsonl_text_rows, "json": _json_rows}.get(file.format, _csv_rows)(
                    text, file
                )


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
        if self._left < 0:
            raise BadInput("data.unpacks_too_big", file=self._file.source, limit=self._file.limit >> 20)
        buffer[: len(block)] = block
        return len(block)


@contextmanager
def _opened(file: File) -> Iterator[IO[bytes]]:
    with open(file.path, "rb") as raw:
        if not file.gzipped:
            yield raw
            return
        with gzip.open(raw) as unpacked, io.BufferedReader(_Bounded(unpacked, file), 1 << 20) as stream:  # type: ignore[arg-type]
            yield stream


@contextmanager
def _readable(file: File) -> Iterator[None]:
    """Names what is wrong with a file whose bytes cannot be read to the end."""
    try:
        yield
    except EOFError as error:
        raise BadInput("data.gzip_cut_off", file=file.source) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BadInput("data.gzip_damaged", file=file.source) from error
    except UnicodeDecodeError as error:
        raise BadInput("data.text_cut_off", file=file.source, encoding=file.encoding) from error


def _jsonl_rows(stream: IO[bytes], file: File) -> Rows:
    decode = sniffing.strict_json().decode
    offset = len(codecs.BOM_UTF8) if file.encoding == "utf-8-sig" else 0
    stream.read(offset)
    number = 0
    while line := stream.readline(MAX_LINE):
        number += 1
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            if not line.endswith(b"\n") and error.reason == "unexpected end of data":
                yield number, Rejected("line_torn")
                return
            raise sniffing.wrong_encoding(line, error.start, offset + error.start, file.source) from error
        offset += len(line)
        row = _json_line(number, text, decode, file)
        if row is not None:
            yield number, row


def _jsonl_text_rows(text: IO[str], file: File) -> Rows:
    decode = sniffing.strict_json().decode
    # The BOM was taken by the decoder; lines end in \n only, as other separators may stand in strings.
    for number, line in enumerate(iter(lambda: text.readline(MAX_LINE), ""), start=1):
        row = _json_line(number, line, decode, file)
        if row is not None:
            yield number, row


def _json_line(number: int, line: str, decode: Any, file: File) -> Any:
    """The row in a line, or ``Rejected``; None if the line is blank."""
    if len(line) >= MAX_LINE:
        raise BadInput("data.line_too_long", file=file.source, row=number, limit=MAX_LINE >> 20)
    try:
        return as_row(decode(line))
    except (ValueError, RecursionError) as error:
        if line.isspace():
            return None
        reason = getattr(error, "msg", str(error))
        at_end = "Unterminated" in reason or getattr(error, "pos", 0) >= len(line.rstrip())
        if at_end and not line.endswith("\n"):
            return Rejected("line_torn")
        return Rejected("json", reason=reason, column=getattr(error, "colno", 1))


def as_row(value: Any) -> Any:
    """A JSON value as a row: an object as it is, bare strings and bare conversations under a name."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return {"messages": value}
    return Rejected("not_object", kind=type(value).__name__)


def _json_rows(text: IO[str], file: File) -> Rows:
    stream = JsonStream(_checked_text(text, file), file.source)
    for number, value in enumerate(stream.records(), start=1):
        yield number, as_row(value)


def _csv_rows(text: IO[str], file: File) -> Rows:
    lines = _lines(text, file)
    first = next(lines)
    delimiter = "\t" if file.format == "tsv" else sniffing.delimiter(first)
    reader = csv.reader(_chained(first, lines), delimiter=delimiter, strict=True)
    header = [name.strip() for name in next(reader)]
    if len(set(header)) < len(header) or "" in header:
        raise BadInput("data.header_unclear", file=file.source, header=", ".join(header)[:200])
    number = 0
    while True:
        begun = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise BadInput("data.quote_open", file=file.source, row=number + 1, line=begun) from error
            number += 1
            yield number, Rejected("csv", reason=str(error))
            continue
        if not cells:
            continue
        number += 1
        if len(cells) == len(header):
            yield number, dict(zip(header, cells, strict=True))
        else:
            yield number, Rejected("cells", cells=len(cells), columns=len(header))


def _lines(text: IO[str], file: File) -> Iterator[str]:
    block = _checked_text(text, file, line_by_line=True)
    for line in block:
        if len(line) >= MAX_LINE:
            raise BadInput("data.line_too_long", file=file.source, row=0, limit=MAX_LINE >> 20)
        yield line


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _checked_text(text: IO[str], file: File, *, line_by_line: bool = False) -> Iterator[str]:
    """Blocks (or lines) of the text; names the place where it stops being in its encoding."""
    try:
        while block := text.readline(MAX_LINE) if line_by_line else text.read(1 << 20):
            yield block
    except UnicodeDecodeError as error:
        if not file.encoding.startswith("utf-8"):
            raise
        raise _place_of_wrong_bytes(file) from error


def _place_of_wrong_bytes(file: File) -> BadInput:
    """Reads the file again, since the decoder knows only the place within its block."""
    offset = 0
    with _opened(file) as stream:
        for line in iter(lambda: stream.readline(MAX_LINE), b""):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                if error.reason == "unexpected end of data":
                    break
                return sniffing.wrong_encoding(line, error.start, offset + error.start, file.source)
            offset += len(line)
    return BadInput("data.text_cut_off", file=file.source, encoding=file.encoding)


def _parquet_rows(stream: IO[bytes], file: File) -> Rows:
    with tempfile.TemporaryFile() as whole:
        source: Any = stream
        if file.gzipped:
            while block := stream.read(1 << 20):
                whole.write(block)
            source = whole
        try:
            number = 0
            for batch in pq.ParquetFile(source).iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
        except (pa.ArrowException, OSError) as error:
            raise BadInput("data.parquet_damaged", file=file.source, reason=_first_line(error)) from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200]
