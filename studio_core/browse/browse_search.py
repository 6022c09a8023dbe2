"""One search in one version: it goes block by block, remembers what it found, and can be gone on with."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from studio_core.base.errors import BadInput, StudioError
from studio_core.browse import duck, record_sql
from studio_core.browse.browse_file import File
from studio_core.browse.query import Query
from studio_core.browse.search_index import BLOCK, narrow

if TYPE_CHECKING:
    import numpy as np

    Rows = np.ndarray[Any, np.dtype[np.int32]]

# A step takes some hundredths of a second; only a file that is damaged or a disk that hangs comes here.
LONGEST_STEP = 10.0
"""Seconds after which one step, a few blocks, is broken off with an error."""

# 16,384 records: a frequent word fills its page at once, and a rare
# one costs little before it is known to be rare.
_FIRST_BLOCKS = 4
# A million records: longer statements would not hear in time that the page was left.
_MOST_BLOCKS = 256
_STEP = 0.05
"""Seconds that a step should take: blocks are taken accordingly."""


class Search:
    """What a query finds. ``total`` counts what was found as yet; it is all of it once ``exact``."""

    def __init__(self, file: File, query: Query) -> None:
        query.check(file.schema)
        if query.needs_report and file.features is None:
            raise StudioError("browse.needs_report")
        self.file = file
        self.query = query
        self.total = 0
        self.exact = False
        self.searched = 0.0
        self._lock = threading.Lock()
        self._found: list[Rows] = []
        if query.reads_texts:
            self._predicate = _predicate(file, query)
            self._allowed = self._rows_by_features() if _filters(query) else None
            self._blocks = self._allowed_blocks()
            # The index is asked after the first step only: a frequent word never
            # needs it, and a lookup costs 10 to 120 ms.
            self._narrowed = file.index is None
            self._done = 0
            self._step = _FIRST_BLOCKS
        else:
            self.total = self._count() if _filters(query) else file.rows
            self.exact, self.searched = True, 1.0

    def go_on(self, *, enough: int, seconds: float, count: bool) -> None:
        """Search on, for about ``seconds``, until ``enough`` are found or, to ``count``, to the end."""
        if self.exact:
            return
        import numpy as np

        with self._lock:
            end = time.perf_counter() + seconds
            while self._done < len(self._blocks) and (count or self.total < enough):
                if self._done and not self._narrowed:
                    self._narrow(max(_FIRST_BLOCKS, enough - self.total))
                    continue
                begun = time.perf_counter()
                self._take_step()
                now = time.perf_counter()
                # A statement has a cost of its own: who counts to the end takes longer steps.
                # A third of what is allowed, so that a guess which is wrong by a factor of
                # three still keeps the time. 1 ms at least: a clock may say 0.
                wanted = max(_STEP, seconds / 3) / max(now - begun, 1e-3)
                # At most four times as long as the step before: one that was fast by
                # chance (all in the cache) promises nothing.
                self._step = int(np.clip(self._step * wanted, 1, min(4 * self._step, _MOST_BLOCKS)))
                if now >= end:
                    break
            self.searched = self._done / len(self._blocks) if self._blocks else 1.0
            self.exact = self._done >= len(self._blocks)

    def _take_step(self) -> None:
        some = self._blocks[self._done : self._done + self._step]
        found = self._look_into(some)
        self._found.append(found)
        self.total += len(found)
        self._done += len(some)

    def numbers(self, offset: int, limit: int) -> list[int]:
        """Row numbers of the ``offset``-th to the ``offset + limit``-th record found, in the order asked for."""
        if self.query.reads_texts:
            with self._lock:
                # Under the lock, since another request may search on in the same object.
                found = self._ordered()[offset : offset + limit]
            return [int(number) for number in found]
        if not _filters(self.query) and self.query.sort == "row":
            # Nothing to look for: the numbers are counted, without reading a file.
            first, last = offset + 1, min(offset + limit, self.total)
            if self.query.descending:
                return list(range(self.total - offset, self.total - last, -1))
            return list(range(first, last + 1))
        where, given = _where(self.query)
        sql = (
            f"SELECT row FROM read_parquet($features) WHERE {where} ORDER BY {_order(self.query)} "
            f"LIMIT {limit:d} OFFSET {offset:d}"
        )
        return [row for (row,) in self._ask(sql, given)]

    def _ask(self, sql: str, given: dict[str, Any]) -> list[Any]:
        with duck.statement(self.file.connection, LONGEST_STEP) as cursor:
            return duck.rows(cursor, sql, {"features": str(self.file.features), **given})

    def _count(self) -> int:
        where, given = _where(self.query)
        [(total,)] = self._ask(f"SELECT count(*) FROM read_parquet($features) WHERE {where}", given)
        return int(total)

    def _rows_by_features(self) -> np.ndarray[Any, Any]:
        """For each record, whether the filters on features let it through."""
        where, given = _where(self.query)
        column = self._feature(where, given)
        return column.astype(bool)

    def _feature(self, expression: str, given: dict[str, Any]) -> np.ndarray[Any, Any]:
        """One value for each record, in order."""
        sql = f"SELECT {expression} AS value FROM read_parquet($features) ORDER BY row"
        with duck.statement(self.file.connection, LONGEST_STEP) as cursor:
            cursor.execute(sql, {"features": str(self.file.features), **given})
            values: np.ndarray[Any, Any] = cursor.fetchnumpy()["value"]
        return values

    def _allowed_blocks(self) -> list[int]:
        blocks = range(-(-self.file.rows // BLOCK))
        if self._allowed is None:
            chosen = list(blocks)
        else:
            chosen = [n for n in blocks if self._allowed[n * BLOCK : (n + 1) * BLOCK].any()]
        return chosen[::-1] if self._backwards else chosen

    @property
    def _backwards(self) -> bool:
        return self.query.sort == "row" and self.query.descending

    def _narrow(self, wanted: int) -> None:
        """Leave out, of what is still to be read, the blocks in which the index has not all the words."""
        index = self.file.index
        assert index is not None
        for term in self._predicate.terms:
            blocks = narrow(self.file.connection, index, term)
            if blocks is not None:
                self._blocks[self._done :] = [n for n in self._blocks[self._done :] if n in blocks]
        self._narrowed = True
        # What is left has a match in nearly every block.
        # So that as many blocks as matches are wanted are read in one statement.
        self._step = min(wanted, _MOST_BLOCKS)

    def _look_into(self, blocks: Sequence[int]) -> Rows:
        import numpy as np

        where = " OR ".join(
            f"file_row_number BETWEEN {a * BLOCK} AND {b * BLOCK - 1}" for a, b in _runs(blocks)
        )
        sql = (
            f"SELECT file_row_number + 1 FROM read_parquet($file, file_row_number = true) "
            f"WHERE ({where}) AND {self._predicate.sql}"
        )
        with duck.statement(self.file.connection, LONGEST_STEP) as cursor:
            found = duck.rows(cursor, sql, {"file": str(self.file.path), **self._predicate.parameters})
        # Threads of DuckDB deliver in any order.
        rows = np.sort(np.array([row for (row,) in found], dtype=np.int32))
        if self._allowed is not None:
            rows = rows[self._allowed[rows - 1]]
        return rows[::-1] if self._backwards else rows

    def _ordered(self) -> Rows:
        import numpy as np

        if len(self._found) > 1:
            self._found = [np.concatenate(self._found)]
        rows = self._found[0] if self._found else np.array([], dtype=np.int32)
        if self.query.sort == "row" or not len(rows):
            return rows
        # 0 for records without the feature, so that they stand at one end and not among the others.
        values = np.ma.filled(self._feature(duck.quoted(self.query.sort), {}), 0)[rows - 1]
        # Stable: records with the same value keep the order of the file, and pages do not overlap.
        order = np.argsort(-values if self.query.descending else values, kind="stable")
        return rows[order]


def _runs(blocks: Sequence[int]) -> list[tuple[int, int]]:
    """Blocks as runs ``(first, behind the last)``."""
    runs: list[tuple[int, int]] = []
    for block in sorted(blocks):
        if runs and runs[-1][1] == block:
            runs[-1] = (runs[-1][0], block + 1)
        else:
            runs.append((block, block + 1))
    return runs


def _filters(query: Query) -> bool:
    return bool(query.language or query.findings or query.clean or query.ranges)


def _where(query: Query) -> tuple[str, dict[str, Any]]:
    """The condition on features. Names are of our lists (``Query.check``), values are parameters."""
    conditions: list[str] = []
    given: dict[str, Any] = {}
    for place, (name, low, high) in enumerate(query.ranges):
        for sign, bound in ((">=", low), ("<=", high)):
            if bound is not None:
                key = f"bound_{place}_{'low' if sign == '>=' else 'high'}"
                conditions.append(f"{duck.quoted(name)} {sign} ${key}")
                given[key] = bound
    if query.language:
        conditions.append("language = $language")
        given["language"] = "" if query.language == "unknown" else query.language
    if query.findings:
        conditions.append("list_has_any(findings, $findings)")
        given["findings"] = list(query.findings)
    if query.clean:
        conditions.append("coalesce(len(findings), 0) = 0")
    # A record without the feature does not meet a condition on it; in SQL null would be neither.
    return " AND ".join(f"coalesce({condition}, false)" for condition in conditions) or "true", given


def _order(query: Query) -> str:
    direction = "DESC" if query.descending else "ASC"
    if query.sort == "row":
        return f"row {direction}"
    return f"{duck.quoted(query.sort)} {direction} NULLS LAST, row"


@dataclass(frozen=True)
class Predicate:
    sql: str
    parameters: dict[str, Any]
    terms: list[str]
    """Texts in lower case that a record has, if the condition holds: what an index can be asked for."""


def _predicate(file: File, query: Query) -> Predicate:
    """The condition on a record's texts."""
    terms = [_valid_text(term) for term in query.terms]
    among = [_valid_text(text) for _, text in query.columns]
    with duck.statement(file.connection, LONGEST_STEP) as cursor:
        # In lower case as DuckDB makes it, which it is compared with.
        sql = "SELECT list_transform($texts, lambda x: lower(x))"
        [(lowered,)] = duck.rows(cursor, sql, {"texts": ["", *terms, *among]})
        if query.regex:
            _check_regex(cursor, _valid_text(query.regex))
    terms, among = lowered[1 : len(terms) + 1], lowered[len(terms) + 1 :]
    texts = [field for field in file.schema if record_sql.has_texts(field.type)]
    predicate = Predicate("", {}, [])
    conditions: list[str] = []
    for term in terms:
        conditions.append(_holds(texts, term, predicate))
    for (name, _), text in zip(query.columns, among, strict=True):
        field = file.schema.field(name)
        if pa.types.is_boolean(field.type):
            conditions.append(f"coalesce({duck.quoted(name)} = {text}, false)")
        else:
            conditions.append(_holds([field], text, predicate))
    if query.regex:
        predicate.parameters["regex"] = _valid_text(query.regex)
        conditions.append(_anywhere(texts, "regexp_matches({}, $regex)"))
    return replace(predicate, sql=" AND ".join(conditions))


def _holds(fields: Sequence[pa.Field], text: str, predicate: Predicate) -> str:
    """The condition that one of these columns holds the text, which is noted in ``predicate``."""
    name = f"text_{len(predicate.parameters)}"
    predicate.parameters[name] = text
    predicate.terms.append(text)
    return _anywhere(fields, f"contains(lower({{}}), ${name})")


def _anywhere(fields: Sequence[pa.Field], test: str) -> str:
    return f"({' OR '.join(record_sql.any_text(field, test.format) for field in fields)})"


def _valid_text(text: str) -> str:
    """Without halves of characters, which no text in a file has."""
    return text.encode("utf-8", "replace").decode()


def _check_regex(cursor: Any, regex: str) -> None:
    try:
        duck.rows(cursor, "SELECT regexp_matches('', $regex)", {"regex": regex})
    except Exception as error:
        # duckdb is imported only here, where somebody has used it already.
        import duckdb

        if not isinstance(error, duckdb.Error):
            raise
        # The first line: the following ones point at signs of SQL that the person did not write.
        reason = str(error).removeprefix("Invalid Input Error: ").splitlines()[0][:200]
        raise BadInput("browse.regex_invalid", regex=regex[:100], reason=reason) from error
