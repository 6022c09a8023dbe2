"""What two versions have in common, and what was added, removed and changed between them.

Two records are the same if all their fields are. Of the others, those that begin with the same
question (the first text of the user; of plain text, its first line) are one record that was changed;
of several with the same question, the first is compared with the first, the second with the second.
What is left was removed or added. So a record whose question itself was edited counts as removed and
added. Order does not matter.

Only fingerprints of the records are held in memory (about 60 bytes each, on disk beyond 512 MB).
"""

from __future__ import annotations

import difflib
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.browse import browse_file, duck
from studio_core.browse.browse_file import File
from studio_core.data import versions
from studio_core.data.shapes import Record

if TYPE_CHECKING:
    import numpy as np

    Rows = np.ndarray[Any, np.dtype[np.int64]]

Kind = Literal["changed", "added", "removed"]
KINDS: tuple[Kind, ...] = ("changed", "added", "removed")

# Seconds. 5 million records against 1 million take 16 s; beyond ten minutes nobody waits for a comparison.
_LONGEST = 600.0
# This one and the one before it: each may hold row numbers of millions of records.
_KEPT = 2
# The time grows with the product of both lengths, and a page shows twenty pairs of texts.
_WORDS = 3_000
"""Words of a text that are compared one by one; longer texts are shown as replaced whole."""
_WORD = re.compile(r"\s+|[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|\w+|[^\w\s]")


@dataclass(frozen=True)
class Difference:
    """Counts, and the rows (from 1) of each kind."""

    same: int
    added: Rows
    """Rows of the newer version."""
    removed: Rows
    """Rows of the older version."""
    changed: tuple[Rows, Rows]
    """Rows of the older version with those of the newer one."""

    @property
    def counts(self) -> dict[str, int]:
        return {
            "same": self.same,
            "changed": len(self.changed[0]),
            "added": len(self.added),
            "removed": len(self.removed),
        }


@dataclass(frozen=True)
class Change:
    """One record of a difference; a side that does not have it is None."""

    before_row: int | None
    before: Record | None
    after_row: int | None
    after: Record | None


_differences: OrderedDict[tuple[Path, Path], Difference] = OrderedDict()
_lock = threading.Lock()


def compare(studio: Studio, older: Dataset, newer: Dataset) -> Difference:
    """What was done to ``older`` if ``newer`` came of it. Kept for further pages: versions never change."""
    before, after = versions.parquet_path(studio, older), versions.parquet_path(studio, newer)
    # Held through the comparison: two tabs that ask the same would do the work twice, with 512 MB each.
    with _lock:
        if (before, after) not in _differences:
            _differences[before, after] = _compare_files(before, after)
            while len(_differences) > _KEPT:
                _differences.popitem(last=False)
        _differences.move_to_end((before, after))
        return _differences[before, after]


def page(
    studio: Studio, older: Dataset, newer: Dataset, kind: str, offset: int = 0, limit: int = 20
) -> list[Change]:
    """The records of one kind of difference, in the order of the newer version (removed: of the older)."""
    if kind not in KINDS:
        raise BadInput("browse.kind_unknown", kind=kind[:40], known=", ".join(KINDS))
    difference = compare(studio, older, newer)
    # Of a request from outside, as in ``browse.page``.
    offset, limit = max(0, offset), min(max(0, limit), 1_000)
    some = slice(offset, offset + limit)
    before = [
        *map(int, {"changed": difference.changed[0], "removed": difference.removed}.get(kind, [])[some])
    ]
    after = [*map(int, {"changed": difference.changed[1], "added": difference.added}.get(kind, [])[some])]
    pairs = zip_longest(
        zip(before, _records(studio, older, before), strict=True),
        zip(after, _records(studio, newer, after), strict=True),
        fillvalue=(None, None),
    )
    return [Change(*left, *right) for left, right in pairs]


def _records(studio: Studio, dataset: Dataset, rows: list[int]) -> list[Record]:
    path = versions.parquet_path(studio, dataset)
    return File(browse_file.connection(path.parent.resolve()), path).records(rows)


def _compare_files(before: Path, after: Path) -> Difference:
    with (
        tempfile.TemporaryDirectory(prefix="tunesmith-compare-") as scratch,
        # Twice the memory of browsing, since it is asked seldom; what does
        # not fit goes to disk and is removed with it.
        closing(duck.connect(after.parent, memory_mb=512, spill=Path(scratch))) as connection,
        duck.statement(connection, _LONGEST) as cursor,
    ):
        for name, path in (("older", before), ("newer", after)):
            cursor.execute(
                f"CREATE TEMP TABLE {name} AS {_fingerprints(path)}", {"file": str(path.resolve())}
            )
        for name in ("older", "newer"):
            cursor.execute(
                f"CREATE TEMP TABLE {name}_left AS "
                f"SELECT row, question, row_number() OVER (PARTITION BY question ORDER BY row) AS nth "
                # By content and how often it came before: of three equal records in
                # one version and two in the other, one is left.
                f"FROM {name} ANTI JOIN {'newer' if name == 'older' else 'older'} USING (whole, nth)"
            )
        [(rows,)] = duck.rows(cursor, "SELECT count(*) FROM newer", {})
        changed = cursor.execute(
            "SELECT o.row AS before, n.row AS after FROM older_left o JOIN newer_left n USING (question, nth) "
            "ORDER BY n.row"
        ).fetchnumpy()
        added, removed = (
            cursor.execute(
                f"SELECT row FROM {one}_left ANTI JOIN {other}_left USING (question, nth) ORDER BY row"
            ).fetchnumpy()["row"]
            for one, other in (("newer", "older"), ("older", "newer"))
        )
    return Difference(
        # What is in the newer version and neither added nor changed.
        same=rows - len(added) - len(changed["after"]),
        added=added,
        removed=removed,
        changed=(changed["before"], changed["after"]),
    )


def _fingerprints(path: Path) -> str:
    """For each record a number of its content, one of its question, and how often it came before."""
    schema = pq.read_schema(path)
    fields = ", ".join(
        f"{duck.quoted(name)} := {_without_nulls(schema.field(name))}" for name in sorted(schema.names)
    )
    # Columns and keys without a value are as if they were not there, so that versions can differ in them.
    return (
        "SELECT row, whole, question, row_number() OVER (PARTITION BY whole ORDER BY row) AS nth FROM ("
        "SELECT file_row_number + 1 AS row, "
        # 64 bits: among 10 million records two alike by chance once in some hundred thousand comparisons.
        f"md5_number_lower(json_merge_patch('{{}}', to_json(struct_pack({fields})))::VARCHAR) AS whole, "
        f"md5_number_lower({_question(schema)}) AS question "
        "FROM read_parquet($file, file_row_number = true))"
    )


def _without_nulls(field: pa.Field) -> str:
    """A column in SQL; of messages, which may have keys that another version lacks, those with a value."""
    name = duck.quoted(field.name)
    if not pa.types.is_list(field.type) or not pa.types.is_struct(field.type.value_type):
        return name
    if field.type.value_type.num_fields == 2:
        return name
    return f"list_transform({name}, lambda m: json_merge_patch('{{}}', to_json(m)))"


def _question(schema: pa.Schema) -> str:
    """The first text of the user, in SQL."""
    for name in ("messages", "prompt"):
        if name in schema.names:
            column = duck.quoted(name)
            asked = f"list_filter({column}, lambda m: m.role = 'user')[1].content"
            return f"coalesce({asked}, {column}[1].content, '')"
    return "coalesce(split_part(ltrim(text), chr(10), 1), '')"


Piece = tuple[Literal["same", "removed", "added"], str]


def words(before: str, after: str) -> list[Piece]:
    """Two texts word by word; where writing has no spaces, character by character."""
    left, right = _WORD.findall(before), _WORD.findall(after)
    # Equal ends are cut off first: most edits are small, and the comparison grows with the square.
    start = next(
        (n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )
    rest = min(len(left), len(right)) - start
    tail = next((n for n in range(rest) if left[-1 - n] != right[-1 - n]), rest)
    middle = (left[start : len(left) - tail], right[start : len(right) - tail])
    pieces: list[Piece] = [
        ("same", "".join(left[:start])),
        *_middle(*middle),
        ("same", "".join(left[len(left) - tail :])),
    ]
    return [piece for piece in pieces if piece[1]]


def _middle(left: list[str], right: list[str]) -> Iterator[Piece]:
    if max(len(left), len(right)) > _WORDS:
        yield "removed", "".join(left)
        yield "added", "".join(right)
        return
    # autojunk would take frequent words of long texts for noise, and show them as replaced.
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            yield "same", "".join(left[a:b])
            continue
        yield "removed", "".join(left[a:b])
        yield "added", "".join(right[c:d])
