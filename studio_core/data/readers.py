"""Files that users bring, as numbered rows: JSONL, JSON, CSV, TSV, Parquet and text, gzipped or not.

What a file is, is found from its bytes; its ending only decides where they leave it open.
Rows are streamed, whatever the file's size. A row's number counts from 1: the line of a JSONL
file, the record of the others (the first below the heading of a CSV). A row that cannot be read
comes as ``Rejected``; a file that cannot be understood raises ``BadInput``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from studio_core.base.errors import BadInput
from studio_core.base.files import open_plain
from studio_core.data.reading import columnar, documents, encodings, lines, prose, sniffing, source, tables
from studio_core.data.reading.source import MAX_LINE, File, Rows, as_row

__all__ = ["MAX_LINE", "File", "Rows", "as_row", "recognise", "rows"]

_BLOCK = 1 << 20
_INSTEAD = {"PDF": "data.file_pdf", "XLS": "data.file_sheet", "ZIP / XLSX": "data.file_sheet"}
"""What is said of a kind of file for which unpacking is no way."""


# 8 GB, where nobody says: what 2 GB of upload may unpack to.
def recognise(path: Path, name: str | None = None, *, limit: int = 8 << 30) -> File:
    """What the file is; refused are empty files, archives, and text in an encoding that cannot be told."""
    name = name or path.name
    with open_plain(path) as raw:
        # By its mark and not by its name.
        gzipped = raw.read(2) == b"\x1f\x8b"
    file = File(path, name, "", "", gzipped, limit)
    with source.open_bytes(file) as stream:
        head = stream.read(sniffing.HEAD)
    if not head.strip():
        raise BadInput("data.file_empty", file=name)
    if head[:4] == b"PAR1":
        return replace(file, format="parquet")
    for magic, kind in sniffing.FOREIGN.items():
        if head.startswith(magic):
            raise BadInput(_INSTEAD.get(kind, "data.file_foreign"), file=name, format=kind)
    encoding = _encoding(file, head)
    # The last sign of the head may be cut in two.
    text = head.decode(encoding, errors="replace").lstrip("\ufeff \t\r\n")
    # The last ending, after .gz is taken off.
    ending = "".join(Path(name).suffixes[-2:]).lower().removesuffix(".gz").rpartition(".")[2]
    return replace(
        file,
        format=sniffing.text_format(text, ending, name),
        encoding=encoding,
        line_end="\r" if "\r" in text and "\n" not in text else "\n",
        split=prose.likely_split(text),
    )


def rows(file: File, split: str | None = None) -> Rows:
    """All rows of the file, in order; ``split`` says what a row of plain text is."""
    if file.format == "text":
        return prose.rows(file, split)
    if file.format == "parquet":
        return columnar.rows(file)
    if file.format == "jsonl":
        return lines.rows(file)
    return documents.rows(file) if file.format == "json" else tables.rows(file)


def _encoding(file: File, head: bytes) -> str:
    """The encoding of all of the file; refused is one that is only likely."""
    if marked := encodings.by_mark(head):
        return marked
    # Zero bytes are no text in UTF-8, but every second byte in UTF-16.
    if b"\0" in head:
        wide = encodings.by_zeros(head)
        if wide is None:
            raise BadInput("data.file_binary", file=file.source, position=head.index(0))
        return wide
    with source.open_bytes(file) as stream:
        # The whole file: a single sign in another encoding may stand at its very end.
        wrong = encodings.first_wrong(iter(lambda: stream.read(_BLOCK), b""))
    if wrong is None:
        return "utf-8"
    with source.open_bytes(file) as stream:
        sample, share = encodings.foreign_lines(iter(lambda: stream.readline(_BLOCK), b""))
    verdict = encodings.by_reading(sample)
    if not verdict.sure and share < 0.1:
        return "utf-8"  # A few lines were damaged: they are left out with their reason.
    if not verdict.sure:
        if not verdict.encoding:
            raise BadInput("data.encoding_unknown", file=file.source, position=wrong)
        likely = verdict.encoding.upper()
        raise BadInput("data.encoding", file=file.source, position=wrong, likely=likely)
    return verdict.encoding
