"""Files on their way into the studio, in chunks: ``<home>/uploads/<id>/``.

A folder holds ``upload.json`` (the file's name, its size, and once it is complete its SHA-256) and
``data``, the bytes received so far. Nothing else is known of an upload, so that it goes on after a
lost connection, a reload of the page or a restart of the studio. The name that a browser gives is
shown and never used as a path.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio_core.base.atomic import read_json, write_json
from studio_core.base.errors import BadInput, Conflict, NotFound, StudioError
from studio_core.base.settings import Settings

# Lost at most when a connection breaks; at 1 MB/s four seconds, so that
# progress is seen. Below the body limit of the guard.
CHUNK = 4 << 20
"""Bytes that the page sends at once."""
# A folder of small files; more are an archive's work.
MOST = 1_000
"""Uploads that may lie there at once."""
# A week: somebody who closed the laptop on Friday goes on after the weekend.
KEPT = 7 * 86_400.0
"""Seconds after which an upload that nobody goes on with is removed."""
# Paths inside of a chosen folder, of which the end says more than the beginning.
LONGEST_NAME = 500

_ID = re.compile(r"[0-9a-f]{32}")
_ABOUT, _DATA = "upload.json", "data"
_OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Upload:
    id: str
    name: str
    """As the browser gave it: a file's name, or its path inside of a chosen folder."""
    size: int
    received: int
    sha256: str | None
    """None until all bytes are there and were found right."""
    path: Path


class OtherOffset(Conflict):
    """A chunk begins elsewhere than where the upload goes on; ``received`` says where that is."""

    def __init__(self, received: int, offset: int) -> None:
        super().__init__("adding.other_offset", received=received, offset=offset)
        self.received = received


def begin(settings: Settings, name: str, size: int) -> Upload:
    """Room for a file of ``size`` bytes; refused beyond the limits for one file and for all."""
    name = checked_name(name)
    if size < 1:
        raise BadInput("adding.empty_file", file=name)
    if size > settings.max_upload_mb << 20:
        raise BadInput("adding.too_big", file=name, size=_mb(size), limit=settings.max_upload_mb)
    # By what they are to become and not by what is there: promises count.
    waiting = [upload.size for upload in uploads(settings)]
    if len(waiting) >= MOST:
        raise BadInput("adding.too_many", limit=MOST)
    taken = sum(waiting)
    if taken + size > settings.upload_quota_mb << 20:
        raise BadInput(
            "adding.quota", file=name, size=_mb(size), taken=_mb(taken), limit=settings.upload_quota_mb
        )
    # Before the first byte, and not after an hour.
    free = shutil.disk_usage(settings.uploads).free
    if size > free:
        raise StudioError("adding.no_space", file=name, size=_mb(size), free=_mb(free))
    # 128 bits: whoever does not know the id finds no upload of another.
    folder = settings.uploads / secrets.token_hex(16)
    folder.mkdir(mode=0o700)
    (folder / _DATA).touch(mode=0o600)
    write_json(folder / _ABOUT, {"name": name, "size": size})
    return find(settings, folder.name)


def checked_name(name: str) -> str:
    """The name of a file as it will be shown: printable, of bounded length, with ``/`` between parts."""
    printable = "".join(c if c.isprintable() else "?" for c in name.encode("utf-8", "replace").decode())
    shown = printable.strip()[-LONGEST_NAME:]
    if not shown:
        raise BadInput("adding.no_name")
    return shown


def find(settings: Settings, id: str) -> Upload:
    """One upload as it stands; ``NotFound`` also for an id that is none."""
    folder = settings.uploads / id
    # The id comes from outside: anything else than its form would be a path.
    about = read_json(folder / _ABOUT) if _ID.fullmatch(id) else None
    data = folder / _DATA
    if about is None or not data.is_file():
        raise NotFound("adding.no_upload")
    return Upload(id, about["name"], about["size"], data.stat().st_size, about.get("sha256"), data)


def is_one(folder: Path) -> bool:
    """Whether a folder among the uploads is one of these, and not something else that lies there."""
    return _ID.fullmatch(folder.name) is not None and (folder / _ABOUT).is_file()


def complete(settings: Settings, id: str) -> Upload:
    """The same, of a file that is all there."""
    upload = find(settings, id)
    if upload.sha256 is None:
        raise Conflict("adding.incomplete", file=upload.name, received=upload.received, size=upload.size)
    return upload


def uploads(settings: Settings) -> list[Upload]:
    """All that lie there, complete or not."""
    found = []
    for folder in settings.uploads.iterdir():
        with contextlib.suppress(NotFound, OSError):  # Another kind of file, or removed meanwhile.
            found.append(find(settings, folder.name))
    return found


def keep(settings: Settings, name: str, content: bytes) -> Upload:
    """Bytes that are here already, such as pasted text, as an upload that is complete."""
    receiving = Receiving(settings)
    upload = begin(settings, name, len(content))
    receiving.add(upload.id, 0, content)
    return receiving.finish(upload.id)


def discard(settings: Settings, id: str) -> None:
    """Remove an upload; one that is gone stays gone."""
    if not _ID.fullmatch(id):
        raise NotFound("adding.no_upload")
    shutil.rmtree(settings.uploads / id, ignore_errors=True)


def sweep(settings: Settings, older_than: float = KEPT) -> int:
    """Remove uploads to which nothing was added for ``older_than`` seconds; returns how many."""
    limit = time.time() - older_than
    removed = 0
    for upload in uploads(settings):
        with contextlib.suppress(OSError):  # Cancelled meanwhile.
            # The newest of both files: the data may be complete and its document young.
            if max(file.stat().st_mtime for file in upload.path.parent.iterdir()) < limit:
                discard(settings, upload.id)
                removed += 1
    return removed


class Receiving:
    """Takes chunks in order and hashes them on the way.

    What was hashed is remembered in memory only: after a restart the bytes on disk are read once more.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._hashed: dict[str, tuple[Any, int]] = {}
        self._swept = -float("inf")

    def begin(self, name: str, size: int) -> Upload:
        """Room for a file; now and then what was left lying is removed first."""
        # Once an hour: looking at all of them costs a listing.
        if time.monotonic() - self._swept > 3600:
            self._swept = time.monotonic()
            sweep(self.settings)
        return begin(self.settings, name, size)

    def add(self, id: str, offset: int, chunk: bytes) -> Upload:
        """Append a chunk that begins at ``offset``, which is where the last one ended."""
        with self._held(id) as (upload, file):
            # The sender is told where it goes on, and nothing is written twice.
            if upload.sha256 is not None or offset != upload.received:
                raise OtherOffset(upload.received, offset)
            if offset + len(chunk) > upload.size:
                raise BadInput("adding.beyond_size", file=upload.name, size=upload.size)
            hasher = self._hasher(upload)
            try:
                _write_all(file, chunk)
            except OSError as error:
                # Half a chunk must not pass for a whole one.
                os.ftruncate(file, offset)
                if error.errno not in _OUT_OF_SPACE:
                    raise
                free = shutil.disk_usage(self.settings.uploads).free
                raise StudioError(
                    "adding.no_space", file=upload.name, size=_mb(upload.size - offset), free=_mb(free)
                ) from error
            hasher.update(chunk)
            self._hashed[id] = (hasher, offset + len(chunk))
        return find(self.settings, id)

    def finish(self, id: str, sha256: str | None = None) -> Upload:
        """All bytes are there: check size and hash. A file with another hash than the sender's is removed."""
        with self._held(id) as (upload, file):
            if upload.sha256 is None:
                if upload.received != upload.size:
                    raise Conflict(
                        "adding.incomplete", file=upload.name, received=upload.received, size=upload.size
                    )
                found = self._hasher(upload).hexdigest()
                if sha256 and sha256.lower() != found:
                    discard(self.settings, id)
                    raise BadInput("adding.wrong_hash", file=upload.name, expected=sha256[:64], found=found)
                # On disk before the document says that it is complete.
                os.fsync(file)
                about = {"name": upload.name, "size": upload.size, "sha256": found}
                write_json(upload.path.with_name(_ABOUT), about)
        self._hashed.pop(id, None)
        return find(self.settings, id)

    def cancel(self, id: str) -> None:
        discard(self.settings, id)
        self._hashed.pop(id, None)

    @contextlib.contextmanager
    def _held(self, id: str) -> Iterator[tuple[Upload, int]]:
        """The upload and its file, for one sender at a time."""
        path = find(self.settings, id).path
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            try:
                # Two tabs with the same upload would mix their chunks.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict("adding.two_senders") from error
            yield find(self.settings, id), file
        finally:
            os.close(file)

    def _hasher(self, upload: Upload) -> Any:
        hasher, length = self._hashed.get(upload.id, (None, -1))
        # Another process has added to it, or this one is new.
        if hasher is None or length != upload.received:
            with open(upload.path, "rb") as file:
                hasher = hashlib.file_digest(file, "sha256")
        return hasher


def _write_all(file: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        # A write may take less than it was given.
        rest = rest[os.write(file, rest) :]


def _mb(bytes: int) -> int:
    # Rounded up: "0 MB" would say that there is nothing.
    return -(-bytes >> 20) if bytes > 0 else 0
