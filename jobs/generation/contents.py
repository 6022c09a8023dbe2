"""What is in a model's folder, whatever it is called and wherever it lies: the hashes of its files.

One core hashes some 0.9 GB a second, so that a model of 10 GB takes 12 s. So the data folder remembers the hash of each
file by its path, size and time of change, if this process knows that folder.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from studio_core.base.atomic import read_json, write_json

_KINDS = ("*.safetensors", "*.json", "*.jinja")
_REMEMBERED = "contents.json"


def hashes(folder: Path) -> list[tuple[str, str]]:
    """Name and SHA-256 of each file that says what the model answers: weights, settings, tokens, template."""
    home = os.environ.get("TUNESMITH_STUDIO")
    file = Path(home) / _REMEMBERED if home else None
    known = (read_json(file) if file else None) or {}
    there = sorted(each for kind in _KINDS for each in folder.glob(kind))
    fresh = {}
    for each in there:
        status = each.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        path = str(each.resolve())
        if known.get(path, {}).get("stamp") != stamp:
            fresh[path] = {"stamp": stamp, "sha256": _sha256(each)}
    if file and fresh:
        # Read anew: another job may have added to it meanwhile. What an equal moment loses is hashed again.
        known = (read_json(file) or {}) | fresh
        write_json(file, {path: entry for path, entry in known.items() if Path(path).exists()})
    known = known | fresh
    return [(each.name, known[str(each.resolve())]["sha256"]) for each in there]


def _sha256(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
