"""What takes the disk: by runs, their checkpoints, models, datasets and the rest; and a rule for old checkpoints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from studio_core.base import audit, clock
from studio_core.base.atomic import read_json
from studio_core.base.errors import BadInput
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job, Model
from studio_core.keeping.deleting import TRASH, size
from studio_core.runs import run_folder

AREAS = ("checkpoints", "run_models", "runs", "models", "datasets", TRASH, "other")
LONGEST_DAYS = 3650
OLD = 30
"""Days after its end until a run's checkpoints, but for the newest and the best, are old; a judgement."""


@dataclass(frozen=True)
class Item:
    """One thing on the disk."""

    area: str
    name: str
    bytes: int
    address: str
    """Of its page."""


@dataclass(frozen=True)
class Usage:
    areas: dict[str, int]
    """Bytes, by area; together all of the data folder."""
    items: Sequence[Item]
    """The largest first."""
    free: int
    """Bytes of the disk that are left."""


@dataclass(frozen=True)
class Old:
    """A checkpoint that the rule would remove."""

    job: int
    run: str
    step: int
    path: Path
    bytes: int


def usage(studio: Studio, most: int = 50) -> Usage:
    """What everything takes now; reads the names and sizes of all files of the data folder."""
    settings = studio.settings
    with studio.db.read() as session:
        jobs = session.execute(select(Job.id, Job.name)).all()
        models = session.execute(select(Model.id, Model.name, Model.path)).all()
        datasets = session.scalars(select(Dataset)).all()
    items = []
    for job in jobs:
        folder = settings.runs / str(job.id)
        if not folder.is_dir():
            continue
        parts = {"checkpoints": folder / run_folder.CHECKPOINTS, "run_models": folder / run_folder.MODEL}
        sizes = {area: size(path) for area, path in parts.items() if path.is_dir()}
        sizes["runs"] = size(folder) - sum(sizes.values())
        address = f"/runs?run={job.id}"
        items += [Item(area, f"{job.id} · {job.name}", taken, address) for area, taken in sizes.items()]
    for model in models:
        path = Path(model.path)
        if path.is_relative_to(settings.models) and path.is_dir():
            items.append(Item("models", model.name, size(path), f"/models?model={model.id}"))
    files: dict[str, int] = {}
    for file in settings.datasets.iterdir():
        hash = file.name.partition(".")[0]
        files[hash] = files.get(hash, 0) + size(file)
    for dataset in datasets:
        # Of several with the same records the first takes the disk.
        taken = files.pop(dataset.sha256, 0)
        items.append(
            Item("datasets", f"{dataset.name}@{dataset.version}", taken, f"/dataset?id={dataset.id}")
        )
    trash = settings.home / TRASH
    areas = {area: sum(item.bytes for item in items if item.area == area) for area in AREAS}
    areas[TRASH] = size(trash) if trash.is_dir() else 0
    areas["other"] = max(0, size(settings.home) - sum(areas.values()))
    largest = sorted((item for item in items if item.bytes), key=lambda item: -item.bytes)
    return Usage(areas, largest[:most], shutil.disk_usage(settings.home).free)


def old_checkpoints(studio: Studio, days: int = OLD) -> list[Old]:
    """Checkpoints of runs that ended more than so many days ago, but for the newest whole one and the best.

    Left alone is what a queued or active job names, and what is used as a model.
    """
    if not 0 <= days <= LONGEST_DAYS:
        raise BadInput("keeping.bad_days", days=days, most=LONGEST_DAYS)
    before = clock.now() - timedelta(days=days)
    with studio.db.read() as session:
        ended = session.scalars(select(Job).where(Job.kind == "train", Job.finished_at < before)).all()
        needed = json.dumps(list(session.scalars(select(Job.spec).where(Job.state.not_in(TERMINAL)))))
        models = set(session.scalars(select(Model.path)))
    found = []
    for job in ended:
        folder = studio.settings.runs / str(job.id)
        if run_folder.is_held(folder / run_folder.LOCK):
            continue
        kept = run_folder.checkpoints(folder)
        newest = next((one.step for one in reversed(kept) if one.complete), None)
        best = (read_json(folder / run_folder.CHECKPOINTS / run_folder.BEST) or {}).get("step")
        found += [
            Old(job.id, job.name, one.step, one.path, size(one.path))
            for one in kept
            if one.step not in (newest, best)
            and json.dumps(str(one.path))[1:-1] not in needed
            and str(one.path) not in models
        ]
    return found


def thin(studio: Studio, days: int = OLD) -> tuple[int, int]:
    """Remove the old checkpoints for good; returns how many, and the bytes that are free now."""
    found = old_checkpoints(studio, days)
    for old in found:
        # First the name: half a checkpoint must not look like a whole one.
        partial = old.path.with_name(f".{old.path.name}.partial")
        old.path.rename(partial)
        shutil.rmtree(partial)
    audit.note("%d checkpoints older than %d days removed", len(found), days)
    return len(found), sum(old.bytes for old in found)
