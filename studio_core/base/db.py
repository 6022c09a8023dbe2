"""The database: one SQLite file, short transactions, writes that never deadlock.

``read()`` and ``write()`` are the only ways in. A write begins with BEGIN
IMMEDIATE: with the plain BEGIN, four processes that read and then write fail
with "database is locked" in 87 % of their transactions, whatever the timeout.
No transaction is held over I/O or over a ``yield``.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from studio_core.base.errors import StudioError
from studio_core.base.tables.keeping import number_anew


def _driver() -> ModuleType:
    """pysqlite3 where it is installed: it bundles an SQLite without the WAL-reset bug."""
    try:
        import pysqlite3

        return pysqlite3  # type: ignore[no-any-return]
    except ImportError:
        return sqlite3


def safe_for_wal(version: tuple[int, ...]) -> bool:
    """Whether this SQLite is free of the bug that corrupts a WAL database.

    Two connections that write and checkpoint at one instant can corrupt the file
    in 3.7.0 to 3.51.2; fixed in 3.51.3, 3.50.7 and 3.44.6 (sqlite.org/wal.html).
    """
    if version[:2] == (3, 44):
        return version >= (3, 44, 6)
    if version[:2] == (3, 50):
        return version >= (3, 50, 7)
    return version >= (3, 51, 3)


# Our transactions take milliseconds; who waits for seconds has met a fault, and a page must not hang on it.
PATIENCE = 5
"""Seconds that a statement waits for another process to finish its writing."""


@dataclass(frozen=True)
class Database:
    path: Path
    engine: Engine
    sessions: sessionmaker[Session]
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Threads of one process wait for each other here: in SQLite's own waiting some are passed over for seconds."""

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading. What it returns stays usable after it is closed."""
        with _as_studio_errors(self.path), self.sessions() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that holds the write lock from its first statement; commits at the end."""
        # Twice as long: whoever is before us may itself wait for another process.
        if not self._turn.acquire(timeout=2 * PATIENCE):
            raise StudioError("database_locked", path=self.path)
        try:
            with _as_studio_errors(self.path), self.sessions() as session:
                # Begun now and not with the first statement, or what is read before it could be stale.
                session.connection(execution_options={"tunesmith_write": True})
                yield session
                session.commit()
        finally:
            self._turn.release()

    def watch(self) -> Watch:
        """Tells cheaply whether anything was committed, by any process."""
        # A connection of its own: data_version tells of the commits of others only.
        return Watch(self.engine.raw_connection())

    def close(self) -> None:
        self.engine.dispose()


class Watch:
    """Asks SQLite for its ``data_version``: some ten microseconds, and no transaction stays open."""

    def __init__(self, connection: PoolProxiedConnection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._version: Any = None

    def changed(self) -> bool:
        """Whether something was committed since the last call; True on the first."""
        self._cursor.execute("PRAGMA data_version")
        before, self._version = self._version, self._cursor.fetchone()
        return bool(self._version != before)

    def close(self) -> None:
        self._cursor.close()
        self._connection.close()


@contextmanager
def _as_studio_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        if type(error) not in (DatabaseError, OperationalError):
            raise  # What was written is at fault, not the file: whoever wrote it knows more.
        raise _studio_error(error, path) from error


def _studio_error(error: DatabaseError, path: Path) -> StudioError:
    # By its sentence: SQLite has codes for these, but not every driver passes them on.
    reason = str(error.orig)
    if "locked" in reason:
        return StudioError("database_locked", path=path)
    if "full" in reason:
        return StudioError("database_full", path=path)
    if "malformed" in reason or "not a database" in reason:
        return StudioError("database_damaged", path=path, reason=reason, copies=path.parent / "backups")
    return StudioError("database_error", path=path, reason=reason)


def connect(path: Path) -> Database:
    """Open the database as it is, without looking at its schema."""
    driver = _driver()
    # With WAL readers and the writer do not wait for each other; the old journal is slower and safe.
    journal = "WAL" if safe_for_wal(driver.sqlite_version_info) else "DELETE"
    engine = create_engine(f"sqlite+pysqlite:///{path}", module=driver)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # We emit BEGIN ourselves, below.
        cursor = connection.cursor()
        # The timeout comes first: switching to WAL itself needs a lock.
        for pragma in (
            f"busy_timeout={1000 * PATIENCE}",
            f"journal_mode={journal}",
            # Nothing that was acknowledged is lost at a power cut; NORMAL would
            # gain nothing that we can measure (decision 1).
            "synchronous=FULL",
            # Off by default in SQLite, and for each connection anew.
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        write = connection.get_execution_options().get("tunesmith_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    # Rows are read after their session is closed, so that they must not
    # expire; nothing is flushed before it is meant.
    sessions = sessionmaker(engine, expire_on_commit=False, autoflush=False)
    event.listen(sessions, "before_flush", number_anew)
    return Database(path, engine, sessions)
