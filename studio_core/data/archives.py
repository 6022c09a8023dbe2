"""What a user brought, as files of data: files as they are, members of archives, files of a folder.

Members of an archive are unpacked one after the other into numbered temporary files; the names
that the archive gives them are shown and never used as paths. What an archive may unpack to is
limited in members, in bytes, and in proportion to its own size.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import re
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from studio_core.base.errors import BadInput
from studio_core.base.files import Reach, hidden, open_plain
from studio_core.data.reading import encodings

# Listing many more takes long, and memory, before a single row is read.
MAX_MEMBERS = 10_000
"""Of one archive, of whatever kind."""
# Shards of the largest datasets are a few thousand.
MAX_FILES = 5_000
"""Files of data that make one dataset."""
# Text packs 3 to 20 times, a table with one value in all rows some hundred; bombs reach 1,000 and more.
MAX_RATIO = 250
"""Times its own size that an archive may unpack to; text of records stays far below."""
# Small archives of few kinds of rows may pack better than the ratio allows, and 64 MB harm nobody.
_FREE = 64 << 20
"""Bytes that any archive may unpack to."""
# Bytes at a time: what is beyond a limit is noticed within a megabyte.
_BLOCK = 1 << 20

_TABLES = ("jsonl", "ndjson", "json", "csv", "tsv", "tab", "parquet")
_PROSE = ("txt", "text", "md", "markdown")
_ARCHIVES = ("zip", "tar", "tgz", "7z", "rar", "bz2", "xz", "zst", "tbz2", "txz")
_ABOUT = re.compile(
    r"(readme|licen[cs]e|notice|changelog|citation|authors|contributing)\b.*"
    r"|(dataset_infos?|dataset_dict|state|package|metadata)\.json",
    re.IGNORECASE,
)
"""Files that tell of the data and are none of it."""
_OFFICE = ("[Content_Types].xml", "mimetype", "word/", "xl/", "ppt/")


@dataclass(frozen=True)
class Found:
    """One file of data."""

    path: Path
    source: str
    """Its name as the user knows it, with the archive's or folder's name before it."""


@dataclass
class Bundle:
    """All files of data that were found, in order."""

    files: list[Found] = field(default_factory=list)
    passed_over: list[dict[str, str]] = field(default_factory=list)
    """``{"file", "why"}`` of what was left aside; ``data.passed_<why>`` says why."""

    def pass_over(self, name: str, why: str) -> None:
        # A folder of a code project has thousands; a person reads the first ones.
        if len(self.passed_over) < 100:
            self.passed_over.append({"file": name, "why": why})


@contextmanager
def open_bundle(
    paths: Sequence[Path], sources: Sequence[str], *, scratch: Path, limit: int, allowed: Reach | None = None
) -> Iterator[Bundle]:
    """The files of data in all of these; what is unpacked goes to ``scratch`` and is removed again.

    ``limit`` are bytes that archives may unpack to; ``allowed`` says where links may end.
    """
    bundle = Bundle()
    with ExitStack() as stack:
        space = _Space(stack, scratch, limit)
        for path, source in zip(paths, sources, strict=True):
            for found in list_files(path, source, allowed, bundle):
                kind = archive_kind(found.path, found.source)
                if kind is None:
                    bundle.files.append(found)
                else:
                    _unpack(kind, found, space, bundle)
            if len(bundle.files) > MAX_FILES:
                raise BadInput("data.too_many_files", file=source, limit=MAX_FILES)
        yield bundle


def archive_kind(path: Path, source: str) -> str | None:
    """``zip``, ``tar`` or ``tar.gz`` if the file is such an archive; refused are documents that are zipped."""
    with open_plain(path) as file:
        # By content and not by name: the header of a tar file has 512 bytes, with its mark at 257.
        head = file.read(512)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    if head.startswith(b"\x1f\x8b"):
        with open_plain(path) as packed, gzip.open(packed) as unpacked:
            try:
                return "tar.gz" if unpacked.read(512)[257:262] == b"ustar" else None
            except (EOFError, OSError, zlib.error):
                return None  # The reader says what is wrong with it.
    return None


def list_files(path: Path, source: str, allowed: Reach | None, bundle: Bundle) -> list[Found]:
    """The path itself, or the files of the folder that it is, in the order of their names; all resolved."""
    path = path.resolve()
    if not path.is_dir():
        return [Found(path, source)]
    found = []
    for folder, below, names in os.walk(path):
        below[:] = sorted(
            name
            for name in below
            # Before they are walked into: .git and __pycache__ hold more files than the data.
            if not name.startswith((".", "__")) and not (allowed and allowed.closes(Path(folder) / name))
        )
        for name in sorted(names):
            file = Path(folder) / name
            shown = f"{source}/{file.relative_to(path).as_posix()}"
            real = file.resolve()
            if why := _why_not_from_disk(file, real, path, allowed):
                bundle.pass_over(shown, why)
            else:
                found.append(Found(real, shown))
            # While walking, so that a whole disk is not listed first.
            if len(found) > MAX_MEMBERS:
                raise BadInput("data.too_many_files", file=source, limit=MAX_FILES)
    kept = _worth_reading([item.source for item in found], bundle)
    if not kept:
        raise BadInput("data.folder_without_data", folder=source)
    return sorted((item for item in found if item.source in kept), key=lambda item: item.source)


def _why_not_from_disk(file: Path, real: Path, folder: Path, allowed: Reach | None) -> str | None:
    if file.name.startswith("."):
        return "hidden"
    below = real.is_relative_to(folder) and not hidden(real.relative_to(folder))
    # By where it really is: a link must not lead into the data folder.
    if allowed and allowed.closes(real):
        return "link"
    if file.is_symlink() and not below and not (allowed and allowed.allows(real)):
        return "link"
    return None if real.is_file() else "not_a_file"


def _worth_reading(names: Sequence[str], bundle: Bundle) -> set[str]:
    """Those that are data by their ending; texts only where there are no tables of records."""
    kinds: dict[str, list[str]] = {"table": [], "prose": []}
    for name in names:
        last = PurePosixPath(name).name.lower()
        ending = last.removesuffix(".gz").rpartition(".")[2]
        if _ABOUT.fullmatch(last):
            bundle.pass_over(name, "about")
        elif ending in _TABLES:
            kinds["table"].append(name)
        elif ending in _PROSE:
            kinds["prose"].append(name)
        elif ending in _ARCHIVES:
            kinds["table"].append(name)
        else:
            bundle.pass_over(name, "not_data")
    # Beside tables texts are notes about them.
    if kinds["table"]:
        for name in kinds["prose"]:
            bundle.pass_over(name, "text_beside_data")
    return set(kinds["table"] or kinds["prose"])


@dataclass
class _Member:
    name: str
    why_not: str | None
    read: Callable[[], IO[bytes]]


class _Space:
    """Where members are unpacked to, and how much room is left for them."""

    def __init__(self, stack: ExitStack, scratch: Path, limit: int) -> None:
        self.stack = stack
        self.scratch = scratch
        self.folder: Path | None = None
        self.limit = limit
        self.left = limit
        self.count = 0

    def keep(self, stream: IO[bytes] | gzip.GzipFile, source: str, allowed: int) -> tuple[Path, int]:
        """A file with all that the stream gives, and its size; refused beyond the limits."""
        if self.folder is None:
            # Made with the first member: most files are no archive.
            made = tempfile.TemporaryDirectory(dir=self.scratch, prefix="unpacked-")
            self.folder = Path(self.stack.enter_context(made))
        self.count += 1
        # A number, never the member's name.
        path = self.folder / f"{self.count}"
        size = 0
        with open(path, "wb") as file:
            while block := stream.read(_BLOCK):
                size += len(block)
                # Counted while it is written: what a header says of sizes is the archive's own word.
                if size > self.left:
                    raise BadInput("data.unpacks_too_big", file=source, limit=self.limit >> 20)
                if size > allowed:
                    raise BadInput("data.archive_bomb", file=source, ratio=MAX_RATIO)
                file.write(block)
        self.left -= size
        return path, size


def _unpack(kind: str, archive: Found, space: _Space, bundle: Bundle) -> None:
    allowed = max(_FREE, archive.path.stat().st_size * MAX_RATIO)
    before = len(bundle.files)
    with _damage_named(archive.source):
        with _tar(archive, space, allowed) if kind.startswith("tar") else _zip(archive) as members:
            named = _usable(members, archive.source, bundle)
            kept = _worth_reading(list(named), bundle)
            for source in sorted(kept):
                member = named[source]
                with member.read() as stream:
                    path, size = space.keep(stream, archive.source, allowed)
                # The ratio is one of the whole archive.
                allowed -= size
                if (
                    # One level only: archives in archives multiply their ratios.
                    archive_kind(path, source) is not None
                    or member.name.lower().rpartition(".")[2] in _ARCHIVES
                ):
                    raise BadInput("data.archive_nested", file=archive.source, member=_printable(member.name))
                bundle.files.append(Found(path, source))
                if len(bundle.files) > MAX_FILES:
                    raise BadInput("data.too_many_files", file=archive.source, limit=MAX_FILES)
    if len(bundle.files) == before:
        raise BadInput("data.archive_without_data", file=archive.source)


def _usable(members: Iterator[_Member], archive: str, bundle: Bundle) -> dict[str, _Member]:
    """Members that may be read, by the names under which they are shown."""
    named: dict[str, _Member] = {}
    for member in members:
        source = f"{archive}/{_printable(member.name)}"
        if member.why_not or source in named:
            bundle.pass_over(source, member.why_not or "repeated")
        if not member.why_not:
            named[source] = member  # The last of several by one name, as programs that unpack have it.
    return named


def _printable(name: str) -> str:
    """A member's name as text of bounded length."""
    printable = "".join(c if c.isprintable() else "?" for c in name.encode("utf-8", "replace").decode())
    return printable if len(printable) <= 200 else f"...{printable[-200:]}"


def _why_not_by_name(name: str) -> str | None:
    parts = re.split(r"[/\\]", name)
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or ".." in parts or "\0" in name:
        return "outside"
    if any(part.startswith((".", "__MACOSX")) for part in parts if part) or parts[-1] == "Thumbs.db":
        return "hidden"
    return None


@contextmanager
def _damage_named(source: str) -> Iterator[None]:
    try:
        yield
    except NotImplementedError as error:
        raise BadInput("data.archive_unsupported", file=source) from error
    except RuntimeError as error:
        if "encrypted" not in str(error):
            raise
        raise BadInput("data.archive_encrypted", file=source) from error
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, struct.error, ValueError) as error:
        raise BadInput("data.archive_damaged", file=source) from error
    except OSError as error:
        # A place before the beginning of the file, or a gzip that is none; others are the disk's.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise BadInput("data.archive_damaged", file=source) from error


@contextmanager
def _zip(archive: Found) -> Iterator[Iterator[_Member]]:
    _check_directory(archive)
    with zipfile.ZipFile(archive.path) as opened_zip:
        infos = opened_zip.infolist()
        names = {info.filename for info in infos}
        if any(name.startswith(_OFFICE) for name in names):
            raise BadInput("data.file_foreign", file=archive.source, format="Office (XLSX, DOCX)")
        # Again: the count at the end of the file, which was looked at first, may lie.
        if len(infos) > MAX_MEMBERS:
            raise BadInput("data.archive_crowded", file=archive.source, limit=MAX_MEMBERS)
        yield (_zip_member(opened_zip, info, archive.source) for info in infos if not info.is_dir())


def _zip_member(opened_zip: zipfile.ZipFile, info: zipfile.ZipInfo, source: str) -> _Member:
    mode = info.external_attr >> 16
    # The upper 16 bits are the mode of Unix; a zip from Windows has none.
    special = bool(mode) and stat.S_IFMT(mode) not in (0, stat.S_IFREG)
    if info.flag_bits & 0x1:
        raise BadInput("data.archive_encrypted", file=source)
    # Stored, deflate and bzip2; LZMA can ask for gigabytes of memory by its header.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        raise BadInput("data.archive_unsupported", file=source)
    why_not = "link" if special else _why_not_by_name(info.orig_filename)
    return _Member(_unicode_name(info), why_not, lambda: opened_zip.open(info))


def _unicode_name(info: zipfile.ZipInfo) -> str:
    """The member's name; Windows writes it in the encoding of its country and does not say which."""
    if info.flag_bits & 0x800 or info.filename.isascii():
        return info.filename
    # Python reads names without the UTF-8 mark as code page 437: back to the bytes.
    raw = info.filename.encode("cp437", "replace")
    verdict = encodings.by_reading(raw)
    return raw.decode(verdict.encoding, "replace") if verdict.sure else info.filename


def _check_directory(archive: Found) -> None:
    """Refuses a list of members that would fill the memory, before it is loaded."""
    size = archive.path.stat().st_size
    with open_plain(archive.path) as file:
        # The end record has 22 bytes and a comment of up to 64 KB behind it.
        file.seek(max(0, size - (66 << 10)))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or end + 22 > len(tail):
        raise zipfile.BadZipFile("no end of the list of members")
    entries, length = struct.unpack("<10xHL6x", tail[end : end + 22])
    wide = tail.rfind(b"PK\x06\x06", 0, end)
    if wide >= 0 and wide + 56 <= len(tail) and length == 0xFFFFFFFF:
        entries, length = struct.unpack("<32xQQ8x", tail[wide : wide + 56])
    # 0xFFFF says that the number stands elsewhere; 400 bytes are a long name with its fields.
    if (entries > MAX_MEMBERS and entries != 0xFFFF) or length > MAX_MEMBERS * 400:
        raise BadInput("data.archive_crowded", file=archive.source, limit=MAX_MEMBERS)


class _Careful(io.RawIOBase):
    """A tar file whose headers may not ask for more than a little memory at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        # A pax header names its own length, and tarfile would read it in one piece.
        if not 0 <= size <= _BLOCK:
            raise tarfile.ReadError("a header of more than 1 MB")
        return self._file.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()


@contextmanager
def _tar(archive: Found, space: _Space, allowed: int) -> Iterator[Iterator[_Member]]:
    path = archive.path
    if archive_kind(path, archive.source) == "tar.gz":
        with open_plain(path) as raw, gzip.open(raw) as packed:
            path, size = space.keep(packed, archive.source, allowed)
        space.left += size  # Its members are what is kept.
    with open_plain(path) as file:
        if path != archive.path:
            path.unlink()  # It stays readable until it is closed.
        careful: Any = _Careful(file)
        with tarfile.open(fileobj=careful, mode="r:") as opened_tar:
            yield _tar_members(opened_tar, archive.source)


def _tar_members(opened_tar: tarfile.TarFile, source: str) -> Iterator[_Member]:
    def reader(info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
        return lambda: opened_tar.extractfile(info) or io.BytesIO()

    # One after the other: a tar file has no list, and may go on for ever.
    for number, info in enumerate(opened_tar):
        if number >= MAX_MEMBERS:
            raise BadInput("data.archive_crowded", file=source, limit=MAX_MEMBERS)
        if not info.isdir():
            whole = info.isreg() and not info.issparse()
            why_not = _why_not_by_name(info.name) if whole else "link"
            yield _Member(info.name, why_not, reader(info))
