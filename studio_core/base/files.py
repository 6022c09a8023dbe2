"""Which files may be read, and opening them: never through a link, and only plain files.

A path is checked resolved, and then opened part by part without following any link. So what was checked is what
is read, whatever is put in its place in between.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from studio_core.base.errors import BadInput


@dataclass(frozen=True)
class Reach:
    """All paths are resolved."""

    roots: tuple[Path, ...]
    closed: tuple[Path, ...] = ()
    """Folders that are not read although a root leads to them."""

    def allows(self, path: Path) -> bool:
        """Whether a resolved path may be read."""
        return any(self._by(root, path) for root in self.roots)

    def _by(self, root: Path, path: Path) -> bool:
        if not path.is_relative_to(root) or hidden(path.relative_to(root)):
            return False
        return not any(folder.is_relative_to(root) and path.is_relative_to(folder) for folder in self.closed)

    def closes(self, path: Path) -> bool:
        """Whether a resolved path is in a folder that is not read, whatever leads to it."""
        return any(path.is_relative_to(folder) for folder in self.closed)

    def named(self) -> str:
        """The roots, for a sentence."""
        return ", ".join(map(str, self.roots))

    def document(self) -> dict[str, Any]:
        """For a job's options."""
        return {"roots": list(map(str, self.roots)), "closed": list(map(str, self.closed))}

    @classmethod
    def of(cls, document: dict[str, Any]) -> Reach:
        roots, closed = (tuple(map(Path, document.get(name, ()))) for name in ("roots", "closed"))
        return cls(roots, closed)


def hidden(path: Path) -> bool:
    """Whether any part of a path begins with a dot, as folders with keys and passwords do."""
    return any(part.startswith(".") for part in path.parts)


# Linux looks up a folder that it may pass through but not list; elsewhere it has to be readable.
_PASS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK the opening of a pipe that nobody writes to would hang the server.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_plain(path: Path) -> BinaryIO:
    """A plain file at a resolved path. Raises ``BadInput`` if any part of the path is a link, or it is no file."""
    path = path.absolute()
    folder = os.open(path.anchor, _PASS)
    try:
        # Part by part: O_NOFOLLOW heeds only the last part of a path, and a
        # link in the middle would be followed.
        for part in path.parts[1:-1]:
            below = os.open(part, _PASS, dir_fd=folder)
            os.close(folder)
            folder = below
        descriptor = os.open(path.name, _READ, dir_fd=folder)
    except OSError as error:
        # ELOOP: a link; ENOTDIR: a link in the middle, for O_DIRECTORY;
        # ENXIO: a socket, or a device without a driver.
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
            raise BadInput("errors.not_plain", path=path) from error
        raise
    finally:
        os.close(folder)
    # Of the open descriptor and not of the path, behind which something else may stand by now.
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BadInput("errors.not_plain", path=path)
    return open(descriptor, "rb")


def open_below(folder: Path, name: str) -> BinaryIO:
    """A file of a model's folder, which is a resolved path.

    It may be a link to another file of the folder, or into ``blobs`` beside ``snapshots``, as the Hub keeps them.
    """
    return open_plain(real_below(folder, name))


def real_below(folder: Path, name: str) -> Path:
    """Where such a file really is; raises ``BadInput`` if that is elsewhere."""
    real = (folder / name).resolve()
    # The Hub's cache keeps files by hash in ``blobs`` and links to them;
    # any other way out of the folder is refused.
    places = [folder, folder.parent.parent / "blobs"] if folder.parent.name == "snapshots" else [folder]
    if not any(real.is_relative_to(place) for place in places):
        raise BadInput("models.link_outside", path=folder / name)
    return real
