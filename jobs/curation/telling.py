"""What a job has told already: one that goes on from it need not tell it again."""

from __future__ import annotations

import json
from pathlib import Path

from studio_core.base.atomic import read_json
from studio_core.runs.run_folder import EVENTS, SPEC


def told_before(folder: Path | None, type: str) -> set[int]:
    """``row`` of the events of this type of a job and of those that it went on from itself."""
    rows: set[int] = set()
    mark = f'"type": "{type}"'.encode()
    while folder is not None and (folder / EVENTS).is_file():
        with open(folder / EVENTS, "rb") as lines:
            for line in lines:
                if mark in line and line.endswith(b"\n"):
                    rows |= _row(line)
        spec = read_json(folder / SPEC) or {}
        folder = Path(spec["resumed"]) if spec.get("resumed") else None
    return rows


def _row(line: bytes) -> set[int]:
    try:
        row = json.loads(line).get("row")
    except ValueError:
        return set()
    return {row} if isinstance(row, int) else set()
