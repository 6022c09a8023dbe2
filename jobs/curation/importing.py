"""Import of files that are too big to wait for on the page. Options are made by ``studio_core.curation.adding``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.base.files import Reach
from studio_core.curation.base import Work
from studio_core.data import archives
from studio_core.data.inspection import Reading
from studio_core.data.mapping import Mapping

TOLD_EVERY = 500
"""Rows between two reports of progress."""


def run(work: Work, options: dict[str, Any]) -> None:
    paths, sources = [Path(path) for path in options["paths"]], options["sources"]
    for path, source in zip(paths, sources, strict=True):
        if not path.exists():
            raise BadInput("data.file_missing", file=source)
    allowed = Reach.of(options)
    mapping = Mapping.model_validate(options["mapping"]) if options["mapping"] else None
    limit = options["limit"]
    with archives.open_bundle(paths, sources, scratch=work.folder, limit=limit, allowed=allowed) as bundle:
        reading = Reading(bundle, ", ".join(sources)[:200], mapping, limit=limit)
        _store(work, reading)


def _store(work: Work, reading: Reading) -> None:
    seen = reading.seen
    output = work.output(seen.shape, seen.mapping.keep)
    for number, record in enumerate(reading.to_store()):
        if number % TOLD_EVERY == TOLD_EVERY - 1:
            _tell(work, reading)
        output.add(record)
        if work.stopping():
            break  # What was read so far is the version.
    _tell(work, reading)
    work.counts.update(kept=seen.good, dropped=seen.bad)
    output.described.update(
        source=seen.source,
        mapping=seen.mapping.model_dump(mode="json"),
        rejected=seen.reasons,
        rejected_count=seen.bad,
    )


def _tell(work: Work, reading: Reading) -> None:
    """Rows done, and about how many there are, from the share of the bytes that was read."""
    done, whole = reading.bytes_read()
    rows = reading.seen.good + reading.seen.bad
    about = max(rows, round(rows * whole / done)) if done and whole else None
    work.report(rows, about, {"left_out": reading.seen.bad})
