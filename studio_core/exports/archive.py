"""All files of an export as one ZIP archive that is never written: any part of it is computed when it is asked for.

Weights do not pack, so files are stored as they are, and every place in the archive is known from names and sizes. A
download that broke off goes on from its byte, and no disk holds the weights twice. Format: APPNOTE 6.3.10, with ZIP64
throughout, as files are often larger than 4 GB.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from studio_core.exports.manifest import ExportedFile

CHUNK = 1 << 20
_VERSION = 45
"""Of ZIP64."""
_UTF8 = 1 << 11
"""Of names."""
_DATE = 0x21
"""1 January 1980: the same files are the same archive, whenever it is fetched."""
_MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class Archive:
    """Pieces one after the other: bytes, or a whole file of the folder."""

    pieces: tuple[bytes | Path, ...]
    sizes: tuple[int, ...]

    @property
    def size(self) -> int:
        return sum(self.sizes)

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from ``start`` up to ``end``."""
        begins = accumulate(self.sizes, initial=0)
        for piece, size, at in zip(self.pieces, self.sizes, begins, strict=False):
            first, last = max(start - at, 0), min(end - at, size)
            if first < last:
                yield from _part(piece, first, last)


def archive(folder: Path, inside: str, files: Mapping[str, ExportedFile]) -> Archive:
    """Of these files of ``folder``, below a folder called ``inside``."""
    pieces: list[bytes | Path] = []
    sizes: list[int] = []
    directory: list[bytes] = []
    for name, file in files.items():
        path = f"{inside}/{name}".encode()
        begin = sum(sizes)
        extra = struct.pack("<HHQQ", 1, 16, file.size, file.size)
        common = struct.pack(
            "<HHHHHIIIHH", _VERSION, _UTF8, 0, 0, _DATE, file.crc32, _MASK, _MASK, len(path), len(extra)
        )
        head = b"PK\3\4" + common + path + extra
        pieces += [head, folder / name]
        sizes += [len(head), file.size]
        directory.append(_entry(path, file, begin))
    end = _end(sum(sizes), directory)
    return Archive((*pieces, end), (*sizes, len(end)))


def _entry(path: bytes, file: ExportedFile, begin: int) -> bytes:
    extra = struct.pack("<HHQQQ", 1, 24, file.size, file.size, begin)
    common = struct.pack(
        "<HHHHHHIIIHHHHHII", _VERSION, _VERSION, _UTF8, 0, 0, _DATE, file.crc32, _MASK, _MASK, len(path), len(extra),
        0, 0, 0, 0, _MASK,
    )  # fmt: skip
    return b"PK\1\2" + common + path + extra


def _end(begin: int, directory: list[bytes]) -> bytes:
    """The central directory, its end in ZIP64's form, and the end that every program looks for."""
    entries = b"".join(directory)
    count = len(directory)
    large = b"PK\6\6" + struct.pack(
        "<QHHIIQQQQ", 44, _VERSION, _VERSION, 0, 0, count, count, len(entries), begin
    )
    locator = b"PK\6\7" + struct.pack("<IQI", 0, begin + len(entries), 1)
    return (
        entries + large + locator + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, _MASK, _MASK, 0)
    )


def _part(piece: bytes | Path, first: int, last: int) -> Iterator[bytes]:
    if isinstance(piece, bytes):
        yield piece[first:last]
        return
    with open(piece, "rb") as file:
        file.seek(first)
        left = last - first
        while left and (part := file.read(min(CHUNK, left))):
            left -= len(part)
            yield part
