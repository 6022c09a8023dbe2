"""Looks at the data folder and the machine, and says what is wrong. Changes nothing."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from pathlib import Path
from typing import Literal, NamedTuple

from sqlalchemy import text as sql

from studio_core import queue, run_folder
from studio_core.data import store
from studio_core.db import safe_for_wal
from studio_core.engine_process import engine_alive
from studio_core.migrations import current
from studio_core.states import LIVE, State
from studio_core.studio import Studio
from studio_core.texts import text

_LOW_DISK = 2 << 30


class Check(NamedTuple):
    name: str
    state: Literal["good", "warn", "bad"]
    detail: str


def examine(studio: Studio) -> list[Check]:
    """All checks, each with one sentence."""
    return [_versions(), _disk(studio), _database(studio), _files(studio), _engine(studio), *_orphans(studio)]


def _versions() -> Check:
    names = ("gradio", "torch", "transformers", "trl", "peft", "sqlalchemy")
    found = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return Check("versions", "good", f"Python {platform.python_version()}, {found}")


def _disk(studio: Studio) -> Check:
    free = shutil.disk_usage(studio.settings.home).free
    detail = text("cli.doctor_disk", path=studio.settings.home, free=f"{free / 1e9:.1f} GB")
    return Check("disk", "warn" if free < _LOW_DISK else "good", detail)


def _database(studio: Studio) -> Check:
    with studio.db.read() as session:
        version = session.scalar(sql("SELECT sqlite_version()")) or ""
        answer = session.scalar(sql("PRAGMA integrity_check"))
        journal = session.scalar(sql("PRAGMA journal_mode"))
    state: Literal["good", "bad"] = "good" if answer == "ok" else "bad"
    safe = safe_for_wal(tuple(int(part) for part in version.split(".")))
    detail = f"SQLite {version}, {journal}, schema {current(studio.db)}, integrity {answer}"
    return Check("database", state, detail if safe else f"{detail}; {text('cli.doctor_sqlite_old')}")


def _files(studio: Studio) -> Check:
    datasets = store.all_datasets(studio)
    missing = [f"{d.name}@{d.version}" for d in datasets if not store.parquet_path(studio, d).is_file()]
    if missing:
        return Check("datasets", "bad", text("cli.doctor_missing", names=", ".join(missing)))
    return Check("datasets", "good", text("cli.doctor_datasets", count=len(datasets)))


def _engine(studio: Studio) -> Check:
    waiting = len(queue.waiting(studio))
    if engine_alive(studio):
        return Check("engine", "good", text("cli.doctor_engine", waiting=waiting))
    return Check("engine", "warn" if waiting else "good", text("cli.doctor_no_engine", waiting=waiting))


def _orphans(studio: Studio) -> list[Check]:
    """Run folders without a job, and jobs whose folder is gone."""
    jobs = {job.id: job for job in queue.all_jobs(studio, limit=1_000_000)}
    folders = {int(path.name): path for path in studio.settings.runs.iterdir() if path.name.isdigit()}
    orphans = [str(folders[number]) for number in sorted(folders.keys() - jobs.keys())]
    begun = (job for job in jobs.values() if job.state in LIVE or job.state == State.SUCCEEDED)
    lost = [str(job.id) for job in begun if not (Path(job.run_dir or "") / run_folder.SPEC).is_file()]
    checks = []
    if orphans:
        checks.append(Check("runs", "warn", text("cli.doctor_orphans", folders=", ".join(orphans))))
    if lost:
        checks.append(Check("runs", "bad", text("cli.doctor_lost", jobs=", ".join(lost))))
    return checks or [Check("runs", "good", text("cli.doctor_runs", count=len(jobs)))]
