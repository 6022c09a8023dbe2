from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, text

from studio_core.base import migrations
from studio_core.base.db import connect
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import Table
from studio_core.keeping import marks, search
from studio_core.keeping.projects import PROJECTS
from studio_core.keeping.search import Query
from studio_core.labeling import projects
from studio_core.runs import queue


def test_the_migrations_make_exactly_the_tables(studio: Studio) -> None:
    with studio.db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Table.metadata) == []


def test_the_checks_are_there_too(studio: Studio) -> None:
    with studio.db.read() as session:
        tables = text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        written = {row.name: row.sql for row in session.execute(tables)}
    for table in Table.metadata.sorted_tables:
        for constraint in table.constraints:
            if isinstance(constraint, CheckConstraint):
                assert str(constraint.sqltext) in written[table.name]


def test_indexes_of_some_rows_are_of_the_same_rows(studio: Studio) -> None:
    with studio.db.read() as session:
        indexes = text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        written = {row.name: row.sql for row in session.execute(indexes)}
    some = [
        (index.name, index.dialect_options["sqlite"]["where"])
        for table in Table.metadata.sorted_tables
        for index in table.indexes
    ]
    assert any(where is not None for _, where in some)
    for name, where in some:
        _, _, condition = written[name].partition(" WHERE ")
        assert condition == ("" if where is None else str(where))


def test_a_schema_of_a_newer_studio_is_refused(studio: Studio) -> None:
    with studio.db.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StudioError, match="has schema 9999"):
        open_studio(studio.settings)


def test_an_older_schema_is_backed_up_before_it_is_changed(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.submit(studio, kind="train", name="kept", spec={})
    with studio.db.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    monkeypatch.setattr(migrations, "_run_alembic", lambda db: None)
    migrations.upgrade(studio.db, studio.settings)
    [copy] = (studio.settings.home / "backups").glob("studio-0000-*.db")
    backup = connect(copy)
    with backup.read() as session:
        assert session.execute(text("SELECT name FROM job")).scalar() == "kept"
        assert session.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    backup.close()


def test_an_empty_file_gets_the_newest_schema_once(tmp_path: Path) -> None:
    first = open_studio(home=tmp_path / "home")
    assert migrations.current(first.db) == migrations.newest()
    second = open_studio(first.settings)
    assert not (tmp_path / "home" / "backups").exists()
    first.close()
    second.close()


def test_projects_that_were_archived_by_their_settings_are_marked(studio: Studio) -> None:
    ids = [projects.create(studio, name, settings={"archived": away}).id for name, away in
           (("a", True), ("b", False), ("c", True))]  # fmt: skip
    marks.change(studio, PROJECTS, [ids[2]], add=["good"])
    with studio.db.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0012'"))
    studio.close()
    opened = open_studio(studio.settings)
    assert [row.id for row in search.find(opened, PROJECTS, Query(archived=True)).rows] == [ids[2], ids[0]]
    assert marks.of(opened, PROJECTS, ids)[ids[2]].tags == ["good"]
    opened.close()
