"""Looks at the data folder and the machine, and says what is wrong; repairs what it can explain."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import psutil
from sqlalchemy import select
from sqlalchemy import text as sql

from studio_core.base import atomic, backup, clock
from studio_core.base.db import safe_for_wal
from studio_core.base.migrations import current
from studio_core.base.settings import switched_on
from studio_core.base.states import LIVE, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.data import store
from studio_core.keeping import deleting
from studio_core.people import accounts, sign_in
from studio_core.programs import run as programs
from studio_core.runs import queue, run_folder
from studio_core.runs.engine_process import engine_alive, ensure_engine
from studio_core.texts import DEFAULT_LANGUAGE, text

Say = Callable[..., str]

# Bytes: a checkpoint of a small model with its optimizer, and some logs.
_LOW_DISK = 2 << 30
# Bytes. SQLite folds its log back at 4 MB; sixteen times that is somebody who reads and never stops.
_LARGE_LOG = 64 << 20
# A month: a laptop that is lost stays signed in for as long.
_LONG_SESSION = 720.0
"""Hours."""
# A month, in seconds, of votes and chats that no other file holds.
_OLD_BACKUP = 30 * 24 * 3600
# An hour: the largest upload goes on writing all the time, and its file stays young.
_ABANDONED = 3600.0
"""Seconds after which a file that was never finished belongs to nobody who still writes it."""
# The same words as in jobs.engine.tree, which no module of this package may import.
_MARK, _STUDIO = "TUNESMITH_TREE", "TUNESMITH_STUDIO"
"""What the environment of a run's processes names: the run's tree, and the data folder."""


class Check(NamedTuple):
    name: str
    state: Literal["good", "warn", "bad"]
    detail: str
    repair: Callable[[], str] | None = None
    """Mends it and says what was done."""


def examine(studio: Studio, language: str = DEFAULT_LANGUAGE) -> list[Check]:
    """All checks, each with one sentence. Changes nothing."""

    def say(key: str, **values: Any) -> str:
        return text(key, language, **values)

    return [
        _versions(),
        _disk(studio, say),
        _database(studio, say),
        *_access(studio, say),
        _programs(say),
        _log(studio, say),
        _backups(studio, say),
        *_files(studio, say),
        _half_made(studio, say),
        _engine(studio, say),
        _strays(studio, say),
        *_folders(studio, say),
        *_deleted(studio, say),
    ]


def repair(checks: list[Check]) -> list[str]:
    """Mend what can be mended of what ``examine`` found; one sentence for each."""
    return [check.repair() for check in checks if check.repair is not None]


def _versions() -> Check:
    names = ("gradio", "torch", "transformers", "trl", "peft", "sqlalchemy")
    found = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return Check("versions", "good", f"Python {platform.python_version()}, {found}")


def _disk(studio: Studio, say: Say) -> Check:
    free = shutil.disk_usage(studio.settings.home).free
    detail = say("cli.doctor_disk", path=studio.settings.home, free=f"{free / 1e9:.1f} GB")
    return Check("disk", "warn" if free < _LOW_DISK else "good", detail)


def _database(studio: Studio, say: Say) -> Check:
    with studio.db.read() as session:
        version = session.scalar(sql("SELECT sqlite_version()")) or ""
        answer = session.scalar(sql("PRAGMA integrity_check"))
        journal = session.scalar(sql("PRAGMA journal_mode"))
    state: Literal["good", "bad"] = "good" if answer == "ok" else "bad"
    safe = safe_for_wal(tuple(int(part) for part in version.split(".")))
    detail = f"SQLite {version}, {journal}, schema {current(studio.db)}, integrity {answer}"
    return Check("database", state, detail if safe else f"{detail}; {text('cli.doctor_sqlite_old')}")


def _access(studio: Studio, say: Say) -> list[Check]:
    """Who is let in, and what is weak about that."""
    users, settings = accounts.all_accounts(studio), studio.settings
    able = [user for user in users if not user.disabled]
    checks = []
    # From the worst to the mildest: without accounts everybody in the network is an administrator.
    if not accounts.is_loopback(settings.host):
        if not users:
            checks.append(Check("access", "bad", say("accounts.doctor_open", host=settings.host)))
        elif not settings.trusted_proxy:
            checks.append(Check("access", "warn", say("accounts.doctor_plain", host=settings.host)))
    if settings.session_hours > _LONG_SESSION:
        checks.append(
            Check("access", "warn", say("accounts.doctor_long", hours=f"{settings.session_hours:g}"))
        )
    if waiting := [user.name for user in able if user.must_change]:
        checks.append(Check("access", "warn", say("accounts.doctor_unchanged", names=_some(waiting, say))))
    key = sign_in.key_file(settings.home)
    # Whoever can read it can make cookies and addresses that are let in.
    if key.exists() and key.stat().st_mode & 0o077:

        def close() -> str:
            key.chmod(0o600)
            return say("accounts.doctor_key_mended", path=key)

        checks.append(Check("access", "bad", say("accounts.doctor_key", path=key), close))
    administrators = sum(user.role == accounts.Role.ADMINISTRATOR for user in able)
    well = say("accounts.doctor_good", count=len(able), administrators=administrators)
    return checks or [Check("access", "good", well if users else say("accounts.doctor_local"))]


def _programs(say: Say) -> Check:
    """What the sandbox for programs enforces here, such as tests of generated code."""
    if not (reasons := programs.lacking()):
        return Check("sandbox", "good", say("programs.doctor_good"))
    key = "doctor_weaker" if switched_on("weaker_sandbox") else "doctor_lacking"
    return Check("sandbox", "warn", say(f"programs.{key}", lacking=programs.in_words(reasons)))


def _files(studio: Studio, say: Say) -> list[Check]:
    """Datasets whose file is gone, and files of no dataset: an import was killed, or an older copy put back."""
    before = time.time() - _ABANDONED
    # First the files, then the rows: a version that is made meanwhile has its row by then.
    old = [path for path in studio.settings.datasets.iterdir() if path.stat().st_mtime < before]
    datasets = store.all_datasets(studio)
    # A version's file and those beside it begin with the hash of its records.
    known = {dataset.sha256 for dataset in datasets}
    extra = [path for path in old if path.name.partition(".")[0] not in known]
    missing = [f"{d.name}@{d.version}" for d in datasets if not (studio.settings.datasets / d.file).is_file()]

    def put_aside() -> str:
        for path in extra:
            # Put aside and never deleted: the row may be in a copy that somebody is about to put back.
            path.rename(_trash(studio) / path.name)
        return say("cli.doctor_extra_moved", count=len(extra), path=_trash(studio))

    checks = []
    if missing:
        checks.append(Check("datasets", "bad", say("cli.doctor_missing", names=_some(missing, say))))
    if extra:
        checks.append(Check("datasets", "warn", say("cli.doctor_extra", files=_some(extra, say)), put_aside))
    return checks or [Check("datasets", "good", say("cli.doctor_datasets", count=len(datasets)))]


def _trash(studio: Studio) -> Path:
    """Where things are put aside that nobody seems to own."""
    trash = studio.settings.home / "trash"
    trash.mkdir(exist_ok=True, mode=0o700)
    return trash


def _log(studio: Studio, say: Say) -> Check:
    """The write-ahead log grows while somebody reads without end; it should be small."""
    log = studio.settings.database.with_name(studio.settings.database.name + "-wal")
    size = log.stat().st_size if log.exists() else 0

    def shorten() -> str:
        with studio.db.read() as session:
            # TRUNCATE is the only kind that makes the file small again.
            busy = session.scalar(sql("PRAGMA wal_checkpoint(TRUNCATE)"))
        return say("cli.doctor_log_busy" if busy else "cli.doctor_log_shortened")

    detail = say("cli.doctor_log", size=f"{size / 1e6:.1f} MB")
    return Check("log", "warn", detail, shorten) if size > _LARGE_LOG else Check("log", "good", detail)


def _backups(studio: Studio, say: Say) -> Check:
    newest = backup.newest(studio.settings)
    age = time.time() - newest.stat().st_mtime if newest else None
    first = queue.oldest(studio)
    # Who began this month has little to lose, and is not bothered.
    worth = first is not None and (clock.now() - first.submitted_at).total_seconds() > _OLD_BACKUP

    def make() -> str:
        made = backup.copy(studio.db, backup.standard_target(studio.settings))
        return say("cli.doctor_backup_made", path=made)

    if newest is None or age is None:
        return Check(
            "backup", "warn" if worth else "good", say("cli.doctor_no_backup"), make if worth else None
        )
    detail = say("cli.doctor_backup", path=newest, days=int(age // 86400))
    return (
        Check("backup", "warn", detail, make)
        if worth and age > _OLD_BACKUP
        else Check("backup", "good", detail)
    )


def _half_made(studio: Studio, say: Say) -> Check:
    """Files that were begun and never finished: their writers were killed."""
    home, before = studio.settings.home, time.time() - _ABANDONED
    # Of the link and not of what it points to.
    found = [path for path in _partial(home) if path.lstat().st_mtime < before]

    def remove() -> str:
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return say("cli.doctor_half_made_removed", count=len(found))

    if not found:
        return Check("half-made", "good", say("cli.doctor_nothing_half_made"))
    return Check("half-made", "warn", say("cli.doctor_half_made", files=_some(found, say)), remove)


def _partial(home: Path) -> Iterator[Path]:
    """In the places where files are made under a temporary name; a live run's own are left to it."""
    for folder in ("datasets", "uploads", "backups", "models"):
        yield from (home / folder).rglob("*.partial")
    # One level only: a run's folder may hold checkpoints of thousands of files.
    for run in (home / "runs").glob("*"):
        if not run_folder.is_held(run / run_folder.LOCK):
            yield from (path for path in run.glob("*partial*") if path.name.strip(".").endswith("partial"))


def _engine(studio: Studio, say: Say) -> Check:
    waiting, live = len(queue.waiting(studio)), queue.live(studio)
    if engine_alive(studio):
        return Check("engine", "good", say("cli.doctor_engine", waiting=waiting))
    if not waiting and not live:
        return Check("engine", "good", say("cli.doctor_no_engine", waiting=waiting))

    def start() -> str:
        ensure_engine(studio)
        return say("cli.doctor_engine_started")

    numbers = ", ".join(str(job.id) for job in live) or "-"
    return Check("engine", "warn", say("cli.doctor_engine_missed", waiting=waiting, live=numbers), start)


def _strays(studio: Studio, say: Say) -> Check:
    """Processes of runs that are over. Only those that are surely ours and surely left behind."""
    found = list(_left_behind(studio))

    def end() -> str:
        for process in found:
            process.kill()  # psutil makes sure that the number is still that process.
        # Seconds: a process in the middle of a call to the driver dies when that returns.
        psutil.wait_procs(found, timeout=5)
        return say("cli.doctor_strays_ended", pids=_some([process.pid for process in found], say))

    if not found:
        return Check("processes", "good", say("cli.doctor_no_strays"))
    names = [f"{process.pid} ({process.name()})" for process in found]
    return Check("processes", "warn", say("cli.doctor_strays", processes=_some(names, say)), end)


def _left_behind(studio: Studio) -> Iterator[psutil.Process]:
    home = str(studio.settings.home)
    over: set[str] = set()
    for run in studio.settings.runs.glob("*"):
        supervisor = atomic.read_json(run / run_folder.SUPERVISOR)
        if supervisor and not run_folder.is_held(run / run_folder.LOCK):
            over.add(str(supervisor["tree"]))
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.Error, OSError):  # It ended, or it is another user's.
            continue
        # Both: the mark alone might be of another studio whose folder was copied.
        if environment.get(_STUDIO) == home and environment.get(_MARK) in over:
            yield process


def _folders(studio: Studio, say: Say) -> list[Check]:
    """Run folders without a job, and jobs whose folder is gone."""
    # Folders first: a job that is submitted meanwhile has its row before its folder.
    folders = [folder for folder in sorted(studio.settings.runs.iterdir()) if folder.name.isdigit()]
    with studio.db.read() as session:
        rows = session.execute(select(Job.id, Job.state, Job.run_dir)).all()
    known = {row.id for row in rows}
    orphans = [
        folder
        for folder in folders
        if int(folder.name) not in known and not run_folder.is_held(folder / run_folder.LOCK)
    ]
    # Of failed and cancelled runs a person may have removed the folder; the others are still needed.
    begun = (row for row in rows if row.state in LIVE or row.state == State.SUCCEEDED)
    lost = [str(row.id) for row in begun if not (Path(row.run_dir or "") / run_folder.SPEC).is_file()]

    def put_aside() -> str:
        for folder in orphans:
            folder.rename(_trash(studio) / f"run-{folder.name}-{clock.now():%Y%m%dT%H%M%S}")
        return say("cli.doctor_orphans_moved", count=len(orphans), path=_trash(studio))

    checks = []
    if orphans:
        checks.append(
            Check("runs", "warn", say("cli.doctor_orphans", folders=_some(orphans, say)), put_aside)
        )
    if lost:
        checks.append(Check("runs", "bad", say("cli.doctor_lost", jobs=_some(lost, say))))
    return checks or [Check("runs", "good", say("cli.doctor_runs", count=len(rows)))]


def _deleted(studio: Studio, say: Say) -> list[Check]:
    """Rows that name what is not there, and deletions whose files are gone before their day."""
    with studio.db.read() as session:
        dangling = session.execute(sql("PRAGMA foreign_key_check")).all()
    kept = deleting.recent(studio)
    lost = [row for row in kept if not (studio.settings.home / deleting.TRASH / row.folder).is_dir()]

    def forget() -> str:
        deleting.empty(studio, lost)
        return say("keeping.doctor_forgotten", names=_some([row.name for row in lost], say))

    checks = []
    if dangling:
        tables = _some(sorted({row[0] for row in dangling}), say)
        checks.append(
            Check("references", "bad", say("keeping.doctor_dangling", n=len(dangling), tables=tables))
        )
    if lost:
        names = _some([row.name for row in lost], say)
        checks.append(Check("trash", "warn", say("keeping.doctor_lost", names=names), forget))
    size = f"{sum(row.bytes for row in kept) / 1e6:,.1f} MB"
    return checks or [Check("trash", "good", say("keeping.doctor_trash", n=len(kept), size=size))]


def _some(things: list[Any], say: Say, most: int = 10) -> str:
    """The first of them, and how many more there are."""
    shown = ", ".join(str(thing) for thing in things[:most])
    return shown if len(things) <= most else say("cli.doctor_and_more", shown=shown, more=len(things) - most)
