"""Names of datasets: letters and digits of any script, and ``. _ -``, at most 80 characters."""

from __future__ import annotations

import hashlib
import re

from studio_core.base.errors import BadInput

# File systems take 255 bytes: 80 Chinese signs are 240 of them.
LONGEST = 80

_NAME = re.compile(r"\w[\w.\-]*")
_ENDINGS = re.compile(r"\.(jsonl|ndjson|json|csv|tsv|tab|txt|md|parquet|gz|zip|tar|tgz)$", re.IGNORECASE)


def checked_name(name: str) -> str:
    """A name that a user chose, as it is; raises ``BadInput`` if it will not do."""
    name = name.strip()
    if len(name) > LONGEST:
        raise BadInput("data.name_too_long", name=f"{name[:40]}...", length=len(name), longest=LONGEST)
    if not _NAME.fullmatch(name):
        raise BadInput("data.name_invalid", name=name, suggestion=name_from(name))
    return name


def name_from(file: str) -> str:
    """A name made from a file's: its endings and folders dropped, other characters replaced by ``-``."""
    stem = re.split(r"[/\\]", file.strip().rstrip("/\\"))[-1]
    # Several endings: .jsonl.gz.
    while (shorter := _ENDINGS.sub("", stem)) != stem:
        stem = shorter
    name = re.sub(r"[^\w.\-]+", "-", stem).strip("-.") or "data"
    if len(name) > LONGEST:
        # Two long names that begin alike stay two names.
        # 60 and 1 and 8 are below 80, with room for a number behind them.
        name = f"{name[:60]}-{hashlib.sha256(file.encode(errors='replace')).hexdigest()[:8]}"
    return name
