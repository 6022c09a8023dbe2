"""Fault 25: whoever upgrades the schema is killed, at every point of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from studio_core.base import backup, migrations
from studio_core.base.db import connect
from studio_core.base.errors import StudioError
from studio_core.base.settings import load
from studio_core.base.studio import open_studio
from studio_core.runs import queue

POINTS = [
    ("before", "studio_core.base.backup:copy"),
    ("after", "studio_core.base.backup:_vacuum_into"),
    ("after", "studio_core.base.backup:copy"),
    ("before", "alembic.op:create_index"),
    ("after", "alembic.op:create_table"),
    ("after", "studio_core.base.migrations:_run_alembic"),
]


@pytest.fixture
def old_home(tmp_path: Path) -> Path:
    """A data folder with the first schema and one job in it."""
    settings = load(home=tmp_path / "home")
    db = connect(settings.database)
    migrations._run_alembic(db, "0001")
    with db.write() as session:
        columns = "kind, name, spec, state, position, step, latest, resolved, events_offset, submitted_at"
        values = "'train', 'kept', '{}', 'queued', 1, 0, '{}', '{}', 0, '2026-11-20 10:00:00'"
        session.execute(text(f"INSERT INTO job ({columns}) VALUES ({values})"))
    db.close()
    return settings.home


@pytest.mark.parametrize(("when", "place"), POINTS)
def test_25_an_upgrade_that_is_killed_anywhere_is_finished_by_the_next_start(
    old_home: Path, when: str, place: str
) -> None:
    command = [sys.executable, "-m", "tests.faults.crashing_engine", when, place, "--home", str(old_home)]
    killed = subprocess.run(command, timeout=240, capture_output=True, text=True)
    assert killed.returncode == 137, killed.stderr
    before = connect(old_home / "studio.db")
    assert migrations.current(before) in ("0001", migrations.newest())  # Nothing in between.
    before.close()
    studio = open_studio(home=old_home)
    assert migrations.current(studio.db) == migrations.newest()
    [job] = queue.waiting(studio)
    assert (job.name, job.priority, job.after_id) == ("kept", 0, None)
    copy = backup.newest(studio.settings)
    assert copy is not None
    old = connect(copy)
    assert migrations.current(old) == "0001"
    old.close()
    studio.close()


def test_25_an_upgrade_that_fails_says_where_the_copy_is_and_changes_nothing(
    old_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import op

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(op, "create_table", refuse)
    with pytest.raises(StudioError, match="No space left") as refused:
        open_studio(home=old_home)
    [copy] = (old_home / backup.FOLDER).glob("studio-0001-*.db")
    assert str(copy) in str(refused.value)
    database = connect(old_home / "studio.db")
    assert migrations.current(database) == "0001"
    with database.read() as session:
        assert session.execute(text("SELECT name FROM job")).scalar() == "kept"
    database.close()
    for _ in range(8):
        with pytest.raises(StudioError, match="No space left") as refused:
            open_studio(home=old_home)
    copies = list((old_home / backup.FOLDER).glob("studio-0001-*.db"))
    assert len(copies) == 5 and str(max(copies)) in str(refused.value)
    monkeypatch.undo()
    open_studio(home=old_home).close()
