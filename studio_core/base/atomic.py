"""Documents and folders, written whole or not at all. The standard library only: a supervisor needs this too."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_json(path: Path, document: dict[str, Any], mode: int = 0o600) -> None:
    """Write the whole document or nothing: temporary name, sync, rename."""
    # Hidden, so that no listing shows it, and with the process id, so that two writers do not
    # share one; in the same folder, since a rename does not cross file systems.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False)
        # Before the rename: the other way round a power cut may leave the new name with nothing in it.
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    sync_folder(path.parent)


def read_json(path: Path) -> dict[str, Any] | None:
    """The document, or None if the file does not exist."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return document


def sync_folder(folder: Path) -> None:
    """Make renames inside ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def partial_name(target: Path) -> Path:
    """What a folder is called while it is being written."""
    return target.with_name(f".{target.name}.partial")


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to write into. When it is left it becomes ``target``, in place of what was there; else nothing does."""
    partial = partial_name(target)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    yield partial
    for file in partial.rglob("*"):
        if file.is_file():
            with open(file, "rb") as written:
                os.fsync(written.fileno())
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    sync_folder(target.parent)
