from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from studio_core.base.db import connect, safe_for_wal
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio, open_studio
from studio_core.runs import queue


def test_versions_of_sqlite_with_the_bug_are_known() -> None:
    unsafe = [(3, 40, 1), (3, 44, 5), (3, 45, 1), (3, 50, 4), (3, 51, 2)]
    safe = [(3, 44, 6), (3, 50, 7), (3, 51, 3), (3, 53, 4)]
    assert not any(safe_for_wal(version) for version in unsafe)
    assert all(safe_for_wal(version) for version in safe)


def test_every_connection_is_durable_and_checks_references(studio: Studio) -> None:
    with studio.db.read() as session:
        pragma = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


def add_one(path: str, times: int) -> None:
    db = connect(Path(path))
    for _ in range(times):
        with db.write() as session:
            value = session.execute(text("SELECT position FROM job WHERE id = 1")).scalar()
            session.execute(text("UPDATE job SET position = :value WHERE id = 1"), {"value": value + 1})
        time.sleep(0.005)  # SQLite gives no turns: who writes without a pause starves the others.
    db.close()


def test_processes_that_read_and_then_write_lose_nothing(studio: Studio) -> None:
    start = queue.submit(studio, kind="train", name="x", spec={}).position
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=add_one, args=(str(studio.db.path), 30)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert queue.get(studio, 1).position == start + 90


def test_a_full_database_is_named_and_recovers(studio: Studio) -> None:
    with studio.db.write() as session:
        pages = session.execute(text("PRAGMA page_count")).scalar()
        session.execute(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(StudioError, match=r"disk with the database .* is full"):
        for _ in range(100):
            queue.submit(studio, kind="train", name="x", spec={"large": "x" * 5000})
    kept = len(queue.all_jobs(studio))
    with studio.db.write() as session:
        session.execute(text("PRAGMA max_page_count = 1000000"))
        assert session.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    queue.submit(studio, kind="train", name="x", spec={"large": "x" * 5000})
    assert len(queue.all_jobs(studio)) == kept + 1


def test_a_write_that_fails_changes_nothing(studio: Studio) -> None:
    with pytest.raises(ZeroDivisionError):
        with studio.db.write() as session:
            session.execute(text("DELETE FROM alembic_version"))
            1 / 0  # noqa: B018
    with studio.db.read() as session:
        assert session.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1


def test_a_watch_sees_what_others_commit_and_nothing_else(studio: Studio) -> None:
    other = connect(studio.db.path)
    watch = other.watch()
    assert watch.changed()
    assert not watch.changed()
    queue.submit(studio, kind="train", name="x", spec={})
    assert watch.changed()
    queue.all_jobs(studio)
    assert not watch.changed()
    watch.close()
    other.close()


@pytest.mark.parametrize("start", [0, 4096], ids=["from the first byte", "after the first page"])
def test_a_damaged_file_is_told_with_the_way_back(studio: Studio, start: int) -> None:
    path = studio.settings.database
    queue.submit(studio, kind="toy", name="x", spec={})
    studio.close()
    content = bytearray(path.read_bytes())
    content[start:] = bytes(byte * 7 % 256 for byte in range(len(content) - start))
    path.write_bytes(content)
    for companion in ("studio.db-wal", "studio.db-shm"):
        (path.parent / companion).unlink(missing_ok=True)
    with pytest.raises(StudioError, match=r"is damaged.*backups.*CLI\.md"):
        queue.all_jobs(open_studio(studio.settings))
