"""The index of a large dataset's words: ``datasets/<sha256>.words.parquet``, beside the records.

One row for each word: ``word``, ``blocks``, the blocks of 4,096 records in which it stands, and ``number``,
whether it is digits only: such words are many, and stand apart. The index says where a text may be
found, never whether it is there: whoever searches looks into those blocks. Words are
runs of letters and digits; writing without spaces (Chinese, Japanese, Thai...) is cut into overlapping
pairs of characters. It can always be made again.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from studio_core.browse import duck, record_sql
from studio_core.data.parquet import ROW_GROUP

BLOCK = ROW_GROUP
"""Records in one block; as the records are stored, so that a block is read in one piece."""
# Below it a whole pass takes a tenth of a second or so, and an index is a file more to make and keep.
WORTH_IT = 100_000
"""Records from which on an index is faster than reading everything."""
SUFFIX = ".words.parquet"

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# With the next number it bounds the memory of building an index, about 300 MB in all.
_WORDS_IN_MEMORY = 300_000
# Rows of a range that DuckDB groups within its 256 MB.
_MERGED_AT_ONCE = 1_000_000
# Longer ones are no words but hashes, addresses, base64: whole, each would be a row of its own.
_LONGEST_WORD = 64
_LONGEST_PIECE = 32
"""Longer words are kept as overlapping windows, so that any piece of this length is whole in one of them."""
# Their lists together would name nearly every block, and reading them takes longer than it saves.
_TOO_MANY = 200
"""If a piece is in more words than this, it narrows nothing."""
# Each lookup takes 10 ms and more, and the longest pieces have narrowed already what can be narrowed.
_PIECES = 8
"""Pieces of a text that are looked up: the longest ones."""
# Six hours, only so that nothing hangs for ever: 5 million records take seven minutes.
_LONGEST_WORK = 6 * 3600.0

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_FIRST_UNSPACED = "\u0e00"
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
_WORD = re.compile(f"[^\\W{_UNSPACED}]+")
_DIGITS = re.compile("[0-9]+")
_SCHEMA = pa.schema([("word", pa.string()), ("blocks", pa.list_(pa.int32()))])
_MERGED = _SCHEMA.append(pa.field("number", pa.bool_()))
_NUMBER = "regexp_full_match(word, '[0-9]+')"

Progress = Callable[[int, int], None]
"""Called with ``(records done, records in all)``; what it raises ends the work."""


def index_path(dataset_file: Path) -> Path:
    """Where the index of a dataset's Parquet file is."""
    return dataset_file.with_name(dataset_file.stem + SUFFIX)


def worth_it(dataset_file: Path) -> bool:
    """Whether the dataset is so large that searching it needs an index."""
    rows: int = pq.read_metadata(dataset_file).num_rows
    return rows >= WORTH_IT


def build_index(dataset_file: Path, target: Path, progress: Progress | None = None) -> int:
    """Write the index of a dataset to ``target``; returns how many words it has.

    Memory is bounded (about 300 MB) whatever the dataset's size; ``target`` appears when it is complete.
    """
    partial = target.with_name(f"{target.name}.partial")
    try:
        # Beside the target, where there is space for the result too; /tmp may be a small disk in memory.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="words-") as scratch:
            unsorted = Path(scratch) / "segments.parquet"
            _write_segments(dataset_file, unsorted, progress)
            words = _merge(unsorted, partial, Path(scratch))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return words


def words_of(text: str) -> set[str]:
    """The words by which a text in lower case is found."""
    found: set[str] = set()
    for word in set(_WORD.findall(text)):
        if len(word) <= _LONGEST_WORD:
            found.add(word)
        else:
            found.update(word[at : at + _LONGEST_WORD] for at in range(0, len(word), _LONGEST_PIECE))
    for run in set(_UNSPACED_RUN.findall(text)):
        found.update([run] if len(run) == 1 else map("".join, pairwise(run)))
    return found


def _write_segments(dataset_file: Path, target: Path, progress: Progress | None) -> None:
    """Words with their blocks, in segments that fit into memory, each sorted."""
    with pq.ParquetWriter(target, _SCHEMA, compression="zstd") as writer:
        held: dict[str, list[int]] = {}
        for block, text, done, rows in _blocks(dataset_file):
            for word in words_of(text):
                held.setdefault(word, []).append(block)
            if len(held) >= _WORDS_IN_MEMORY:
                _write_sorted(writer, held)
                held.clear()
            if progress is not None:
                progress(done, rows)
        _write_sorted(writer, held)


def _write_sorted(writer: pq.ParquetWriter, held: dict[str, list[int]]) -> None:
    words = sorted(held)
    # Row groups of this size: a lookup skips all but the ones whose range of words fits.
    for first in range(0, len(words), 16_384):
        some = words[first : first + 16_384]
        blocks = pa.array([held[word] for word in some], type=_SCHEMA.field("blocks").type)
        writer.write_table(pa.Table.from_arrays([pa.array(some), blocks], schema=_SCHEMA))


def _blocks(dataset_file: Path) -> Iterator[tuple[int, str, int, int]]:
    """Each block's number, its texts in lower case, how many records have been read, and how many there are."""
    file = pq.ParquetFile(dataset_file)
    rows, text = file.metadata.num_rows, record_sql.whole_text(file.schema_arrow)
    done = 0
    # DuckDB makes the lower case, since it also does when it searches: there are odd letters.
    # One thread, since the order of the records is the number of the block.
    with closing(duck.connect(dataset_file.parent, threads=1)) as connection:
        with duck.statement(connection, longest=_LONGEST_WORK) as cursor:
            cursor.execute(f"SELECT {text} FROM read_parquet($file)", {"file": str(dataset_file.resolve())})
            while found := cursor.fetchmany(BLOCK):
                first, done = done, done + len(found)
                yield first // BLOCK, "\n".join(line for (line,) in found if line), done, rows


def _merge(segments: Path, target: Path, scratch: Path) -> int:
    """One sorted file without repeated words, a range of the alphabet at a time."""
    metadata = pq.read_metadata(segments)
    lowest = sorted(_lowest(metadata, group) for group in range(metadata.num_row_groups))
    # Ranges by the lowest words of the segments' row groups: no pass over the words just to split them.
    parts = max(1, metadata.num_rows // _MERGED_AT_ONCE)
    bounds: list[str | None] = [lowest[len(lowest) * part // parts] for part in range(1, parts)]
    sql = (
        "SELECT word, flatten(list(blocks)) AS blocks, $number AS number FROM read_parquet($file) "
        "WHERE ($low IS NULL OR word >= $low) AND ($high IS NULL OR word < $high) "
        f"AND {_NUMBER} = $number GROUP BY word ORDER BY word"
    )
    words = 0
    with (
        closing(duck.connect(scratch, spill=scratch)) as connection,
        pq.ParquetWriter(target, _MERGED, compression="zstd") as writer,
    ):
        for number, (low, high) in product((False, True), pairwise([None, *bounds, None])):
            with duck.statement(connection, longest=_LONGEST_WORK) as cursor:
                given = {"file": str(segments.resolve()), "low": low, "high": high, "number": number}
                # Rows at a time, in memory twice for a moment: as DuckDB gives them
                # and as they are written.
                for batch in cursor.sql(sql, params=given).to_arrow_reader(32_768):
                    writer.write_batch(batch.cast(_MERGED))
                    words += batch.num_rows
    return words


def _lowest(metadata: pq.FileMetaData, group: int) -> str:
    word: str = metadata.row_group(group).column(0).statistics.min
    return word


def narrow(connection: DuckDBPyConnection, index: Path, term: str) -> set[int] | None:
    """The blocks in which a text in lower case may stand; None: all of them.

    Never misses one: what a text's words are in the middle of a record, they are in the text, but for
    its first and its last, which may go on.
    """
    narrowed: set[int] | None = None
    for condition, value in _pieces(term):
        sql = f"SELECT blocks FROM read_parquet($index) WHERE {condition} LIMIT {_TOO_MANY + 1}"
        with duck.statement(connection) as cursor:
            words = duck.rows(cursor, sql, {"index": str(index.resolve()), "word": value})
        # One more was asked for than is allowed, which tells "too many" without counting them all.
        if len(words) <= _TOO_MANY:
            blocks = {block for (some,) in words for block in some}
            narrowed = blocks if narrowed is None else narrowed & blocks
    return narrowed


def _pieces(term: str) -> list[tuple[str, str]]:
    """What to ask of the index: conditions on ``word``, each with its ``$word``; the narrowest ones."""
    pieces = {}
    for run in _UNSPACED_RUN.finditer(term):
        if len(run[0]) == 1:
            pieces[f"NOT number AND word >= '{_FIRST_UNSPACED}' AND contains(word, $word)", run[0]] = 1
        # A pair of Chinese signs is about as rare as a piece of four letters.
        pieces.update({("NOT number AND word = $word", a + b): 4 for a, b in pairwise(run[0])})
    for run in _WORD.finditer(term):
        # A text may begin or end in the middle of a word: only what has other
        # signs on both sides is a whole one.
        word, begun, ended = run[0][:_LONGEST_PIECE], run.start() > 0, run.end() < len(term)
        if begun and ended and len(run[0]) <= _LONGEST_PIECE:
            condition = "word = $word"
        elif begun:
            condition = "starts_with(word, $word)"
        else:
            condition = "contains(word, $word)"
        if not _DIGITS.fullmatch(word):
            condition = f"NOT number AND {condition}"
        pieces[condition, word] = len(word)
    return sorted(pieces, key=lambda piece: -pieces[piece])[:_PIECES]
