"""DuckDB over files of the studio: nothing else is in its reach, and it is loaded when first asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio_core.base.errors import BadInput, StudioError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# A request that takes longer was given up by its reader.
LONGEST = 20.0
"""Seconds after which one statement is broken off."""


def connect(
    folder: Path, *, memory_mb: int = 256, threads: int = 2, spill: Path | None = None
) -> DuckDBPyConnection:
    """A database in memory that reads files in ``folder`` only; work that outgrows memory goes to ``spill``.

    It loads and fetches no extensions, and its settings cannot be changed any more.
    """
    import duckdb

    connection = duckdb.connect()
    reached = [str(folder.resolve()), *([str(spill.resolve())] if spill else [])]
    for setting, value in (
        # Two by default: searching shares the cores with trainings.
        ("threads", threads),
        ("memory_limit", f"{memory_mb}MB"),
        ("temp_directory", str(spill.resolve()) if spill else ""),
        # The footer of a large file takes longer to read than a page of its records.
        ("parquet_metadata_cache", True),
        # Offline first: an unknown function must not fetch a library from elsewhere.
        ("autoinstall_known_extensions", False),
        ("autoload_known_extensions", False),
        ("allow_community_extensions", False),
        # Before access is closed, and the lock last: after it nothing can be changed, by a query neither.
        ("allowed_directories", reached),
        ("enable_external_access", False),
        ("lock_configuration", True),
    ):
        connection.execute(f"SET {setting} = {_literal(value)}")
    return connection


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, bool | int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A column's name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def statement(connection: DuckDBPyConnection, longest: float = LONGEST) -> Iterator[DuckDBPyConnection]:
    """A cursor of its own for one thread; what takes longer than ``longest`` seconds is broken off."""
    import duckdb

    cursor = connection.cursor()
    # DuckDB has no timeout of its own; interrupt is the one call that another thread may make.
    watch = threading.Timer(longest, cursor.interrupt)
    watch.daemon = True
    watch.start()
    try:
        yield cursor
    except duckdb.InterruptException as error:
        raise StudioError("browse.too_slow", seconds=round(longest)) from error
    except duckdb.OutOfMemoryException as error:
        raise StudioError("browse.too_large") from error
    except (duckdb.InvalidInputException, duckdb.OutOfRangeException) as error:
        # What was asked is at fault; all that follows is the file or the machine.
        raise BadInput("browse.cannot_read", reason=str(error).splitlines()[0][:300]) from error
    except duckdb.Error as error:
        raise StudioError("browse.file_unreadable", reason=str(error).splitlines()[0][:300]) from error
    finally:
        watch.cancel()
        # Until the timer's thread is gone: it could interrupt a cursor that is just being closed.
        watch.join()
        cursor.close()


def rows(cursor: DuckDBPyConnection, sql: str, parameters: Sequence[Any] | dict[str, Any]) -> list[Any]:
    found: list[Any] = cursor.execute(sql, parameters).fetchall()
    return found
