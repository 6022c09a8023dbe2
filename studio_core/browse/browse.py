"""Looking through millions of records: pages of them, filtered, searched and sorted, in a fraction of a second.

Filters on what the report found (language, length, quality, findings) are answered from the features
file, column by column. A text is searched block by block, only where the index of words, if there is
one, says that it may stand; the first matches are shown at once, the count follows.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.browse import browse_file, duck
from studio_core.browse.browse_file import File
from studio_core.browse.browse_search import Search
from studio_core.browse.query import Query
from studio_core.data import versions
from studio_core.data.shapes import Record
from studio_core.reports.features import features_path

__all__ = ["Facets", "Page", "Query", "facets", "forget", "has_features", "page"]

# Half of the 300 ms in which a page of records should be there; the rest is for reading and drawing.
AT_ONCE = 0.15
"""Seconds after which a search that has not filled its page is broken off, to go on when it is asked again."""
# Far more than a page shows; a request from outside must not have a whole dataset drawn.
MOST_ROWS = 1_000

# One for each of a few people with a tab or two; a search in 5 million records may hold 20 MB of numbers.
_KEPT = 6


@dataclass(frozen=True)
class Page:
    rows: list[tuple[int, Record]]
    """Row numbers (from 1) with their records."""
    total: int
    """Records found; as yet, unless ``exact``."""
    exact: bool
    searched: float
    """Share of the dataset that has been looked through, 0 to 1."""
    seconds: float
    features: dict[int, dict[str, Any]]
    """What the report found of these rows; empty without a report."""


def page(
    studio: Studio,
    dataset: Dataset,
    query: Query,
    offset: int = 0,
    limit: int = 25,
    *,
    count_for: float = 0.0,
) -> Page:
    """The records that are ``offset`` to ``offset + limit`` of those found.

    ``count_for`` is how many seconds may be spent on counting the others. Asked again with the same
    query, it goes on where it was. Raises ``BadInput`` for what cannot be asked.
    """
    begun = time.perf_counter()
    offset, limit = max(0, offset), min(max(0, limit), MOST_ROWS)
    found = _search(_file(studio, dataset), query)
    # A page needs its 25 rows only; counting is for who says how long it may take.
    found.go_on(enough=offset + limit, seconds=max(AT_ONCE, count_for), count=count_for > 0)
    numbers = found.numbers(offset, limit)
    records = found.file.records(numbers)
    return Page(
        rows=list(zip(numbers, records, strict=True)),
        total=found.total,
        exact=found.exact,
        searched=found.searched,
        seconds=time.perf_counter() - begun,
        features=found.file.features_of(numbers),
    )


def has_features(studio: Studio, dataset: Dataset) -> bool:
    """Whether a report has been made, so that its findings can be filtered."""
    return features_path(versions.parquet_path(studio, dataset)).is_file()


@dataclass(frozen=True)
class Facets:
    """What there is to choose from, most frequent first, each with the number of its records."""

    languages: list[tuple[str, int]]
    findings: list[tuple[str, int]]
    columns: list[str]
    """Columns in which a text can be looked for."""


def facets(studio: Studio, dataset: Dataset) -> Facets:
    file = _file(studio, dataset)
    columns = [field.name for field in file.schema]
    if file.features is None:
        return Facets([], [], columns)
    given = {"features": str(file.features)}
    # 200 are more than anybody scrolls through in a list of choices.
    counted = "SELECT {0}, count(*) FROM ({1}) GROUP BY {0} ORDER BY 2 DESC, 1 LIMIT 200"
    source = "FROM read_parquet($features)"
    with duck.statement(file.connection) as cursor:
        languages = duck.rows(cursor, counted.format("language", f"SELECT language {source}"), given)
        findings = duck.rows(
            cursor, counted.format("name", f"SELECT unnest(findings) AS name {source}"), given
        )
    return Facets([(name or "", n) for name, n in languages], findings, columns)


def _file(studio: Studio, dataset: Dataset) -> File:
    path = versions.parquet_path(studio, dataset)
    return File(browse_file.connection(path.parent.resolve()), path)


_searches: OrderedDict[Any, Search] = OrderedDict()
_lock = threading.Lock()


def _search(file: File, query: Query) -> Search:
    """The search for this query, as far as it has come; a new one if it is asked for the first time."""
    # With the state of the side files: a search from before the report was made would not see it.
    key = (file.state, query)
    with _lock:
        if key not in _searches:
            _searches[key] = Search(file, query)
            while len(_searches) > _KEPT:
                _searches.popitem(last=False)
        _searches.move_to_end(key)
        return _searches[key]


def forget() -> None:
    """Let go of all searches, as if nothing had been looked for yet."""
    with _lock:
        _searches.clear()
