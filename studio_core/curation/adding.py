"""What a user brings to make a dataset of: uploads, files of this computer, or what a job fetched.

``Brought`` says what it is in a form that can be kept between two clicks; where its files are is found
out anew each time, since uploads are cancelled and folders change.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from studio_core.base.atomic import read_json
from studio_core.base.errors import BadInput, Conflict
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.curation import making
from studio_core.data import archives, store, uploads
from studio_core.data.archives import Bundle
from studio_core.data.mapping import Mapping
from studio_core.data.naming import name_from
from studio_core.data.store import Imported, Inspection
from studio_core.people.reach import reach
from studio_core.runs import queue
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.run_folder import FETCHED
from studio_core.runs.spec import DataSpec

# A few seconds; longer nobody should have to keep a page open.
AT_ONCE = 20 << 20
"""Bytes that are imported while one waits; more is a job."""
# Columns that are rarely filled show within some hundred rows; reading these takes an instant.
LOOKED_AT = 2_000
"""Rows of something bigger that are looked at before it is imported."""
# A paste travels as one request and lies in the browser twice; a file has no such limit.
LONGEST_PASTE = 4 << 20


_HUB_NAME = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}")


class Brought(BaseModel):
    """Either uploads, or paths on this computer, or a job that fetched rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uploads: list[str] = []
    paths: list[str] = []
    job: int | None = None


@dataclass(frozen=True)
class Located:
    """Where the files of something brought are now."""

    paths: list[Path]
    sources: list[str]
    """Their names as the user knows them."""
    bytes: int
    origin: dict[str, Any] = field(default_factory=dict)
    """Where they came from, if the names do not say it: the Hub's dataset, split and commit."""

    @property
    def small(self) -> bool:
        return self.bytes <= AT_ONCE

    @property
    def name(self) -> str:
        """A name for the dataset, from what all files have in common or from the first."""
        tops = {source.replace("\\", "/").split("/")[0] for source in self.sources}
        return name_from(tops.pop() if len(tops) == 1 else self.sources[0])


def located(studio: Studio, brought: Brought) -> Located:
    if brought.job is not None:
        return _fetched(studio, brought.job)
    if brought.paths:
        paths = [on_this_computer(studio, path) for path in brought.paths]
        return Located(paths, [path.name for path in paths], sum(map(_size, paths)))
    if not brought.uploads:
        raise BadInput("data.upload_gone")
    files = [uploads.complete(studio.settings, id) for id in brought.uploads]
    return Located(
        [file.path for file in files], [file.name for file in files], sum(file.size for file in files)
    )


def on_this_computer(studio: Studio, typed: str) -> Path:
    """The file or folder that a user named, with links resolved; refused outside of the allowed roots."""
    allowed = reach(studio)
    try:
        path = Path(typed.strip()).expanduser().resolve()
        # Asked first, so that nobody learns from the sentence what lies outside.
        if allowed.closes(path):
            raise BadInput("adding.own_folder", path=typed[:300])
        if not typed.strip() or not allowed.allows(path):
            raise BadInput("adding.outside", path=typed[:300], roots=allowed.named())
        if not path.exists() or not os.access(path, os.R_OK):
            raise BadInput("adding.no_path", path=typed[:300])
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInput("adding.no_path", path=typed[:300]) from error
    return path


def data_files(studio: Studio, typed: str) -> dict[str, int]:
    """Files of data that a path leads to, by their names below it, with their sizes in bytes."""
    path = on_this_computer(studio, typed)
    files = archives.list_files(path, path.name, reach(studio), Bundle())
    if path.is_file():
        return {path.name: path.stat().st_size}
    return {file.source.removeprefix(f"{path.name}/"): file.path.stat().st_size for file in files}


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    files = (Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    # Not what a link points to: it may lie outside, where it would be refused anyway.
    return sum(file.lstat().st_size for file in files)


def _fetched(studio: Studio, job_id: int) -> Located:
    job = queue.get(studio, job_id)
    folder = Path(job.run_dir or "")
    about = read_json(folder / FETCHED) if job.method == making.FETCH else None
    if about is None or job.state != State.SUCCEEDED:
        raise Conflict("adding.nothing_fetched", job=job_id)
    path = folder / Path(about["file"]).name
    if not path.is_file():
        raise Conflict("adding.nothing_fetched", job=job_id)
    # By the name that it has on the Hub: the file in the job's folder is called by what fetched it.
    return Located([path], [about["name"]], path.stat().st_size, about["origin"])


def inspect(studio: Studio, brought: Brought, mapping: Mapping | None = None) -> Inspection:
    """What was understood of it; of something big, after its first rows."""
    location = located(studio, brought)
    # What is small is read whole: then the numbers of good and bad rows are exact.
    first = None if location.small else LOOKED_AT
    return store.inspect_files(studio, location.paths, sources=location.sources, mapping=mapping, first=first)


def bring_in(
    studio: Studio, brought: Brought, *, name: str | None = None, mapping: Mapping | None = None
) -> Imported | Job:
    """Make it a version: at once if it is small, else as a job. The uploads are removed afterwards."""
    location = located(studio, brought)
    name = name or location.name
    if not location.small:
        return submit(studio, brought, name=name, mapping=mapping)
    imported = store.import_files(
        studio, location.paths, name=name, sources=location.sources, mapping=mapping, origin=location.origin
    )
    for id in brought.uploads:
        uploads.discard(studio.settings, id)
    return imported


def judge(studio: Studio, dataset: Dataset) -> None:
    """Have the report on a new version made, beside everything else."""
    making.ask_report(studio, dataset)
    ensure_engine(studio)


def submit(studio: Studio, brought: Brought, *, name: str, mapping: Mapping | None = None) -> Job:
    """The import as a job on data, whatever its size."""
    location = located(studio, brought)
    options = {
        "paths": [str(path) for path in location.paths],
        "sources": location.sources,
        "mapping": mapping.model_dump(mode="json") if mapping else None,
        "limit": studio.settings.max_upload_mb << 22,
        **reach(studio).document(),
        "uploads": brought.uploads,
        "origin": location.origin,
    }
    return making.submit(studio, DataSpec(operation=making.IMPORT, options=options, result=name))


def fetch(
    studio: Studio,
    name: str,
    *,
    subset: str = "",
    split: str = "train",
    rows: int | None = None,
    revision: str = "",
) -> Job:
    """Have a worker fetch rows of a dataset of the Hub: the first ``rows``, or all of the split."""
    name = name.strip().removeprefix("https://huggingface.co/datasets/").strip("/")
    if not _HUB_NAME.fullmatch(name):
        raise BadInput("adding.hub_name", name=name[:100])
    if rows is not None and rows < 1:
        raise BadInput("adding.hub_rows_invalid", rows=rows)
    for value in (subset, split, revision):
        if len(value) > 200 or not value.isprintable():
            raise BadInput("adding.hub_word", value=value[:100])
    options = {
        "hub": name,
        "subset": subset.strip(),
        "split": split.strip() or "train",
        "rows": rows,
        "revision": revision.strip(),
    }
    return making.submit(studio, DataSpec(operation=making.FETCH, options=options, name=f"fetch {name}"[:80]))


def pasted(studio: Studio, text: str) -> Brought:
    """Text that was typed or pasted: JSON, JSON lines, CSV or prose; what it is the readers find out."""
    content = text.encode("utf-8", "replace")
    if not text.strip():
        raise BadInput("adding.nothing_pasted")
    if len(content) > LONGEST_PASTE:
        raise BadInput("adding.paste_too_long", size=-(-len(content) >> 20), limit=LONGEST_PASTE >> 20)
    return Brought(uploads=[uploads.keep(studio.settings, f"pasted.{_ending(text)}", content).id])


def _ending(text: str) -> str:
    """The ending that a file of this text would have, as a hint for the readers."""
    start = text.lstrip()
    first, _, rest = start.partition("\n")
    if start[0] in "[{":
        whole = start[0] == "[" or not first.rstrip().endswith("}")
        return "json" if whole else "jsonl"
    for delimiter, ending in (("\t", "tsv"), (",", "csv"), (";", "csv")):
        cells = first.count(delimiter)
        # A heading is short names; prose has a comma here and there, but not as many in every line.
        named = all(0 < len(cell.strip(' "')) <= 40 for cell in first.split(delimiter))
        if cells and named and rest.strip() and rest.split("\n")[0].count(delimiter) >= cells:
            return ending
    return "txt"


def typed(studio: Studio, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Brought:
    """Rows that were typed into a table; empty ones are passed over."""
    lines = []
    for row in rows:
        cells = ["" if cell is None else str(cell) for cell in row]
        if any(cell.strip() for cell in cells):
            lines.append(json.dumps(dict(zip(columns, cells, strict=False)), ensure_ascii=False) + "\n")
    if not lines:
        raise BadInput("adding.nothing_typed")
    return Brought(uploads=[uploads.keep(studio.settings, "typed.jsonl", "".join(lines).encode()).id])
