"""The features file of a dataset version: one row for each record, in order.

``datasets/<sha256>.features.parquet``, beside the records. The report writes it; browsing and filtering
read it. It can always be made again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio_core.reports.check import Rows
from studio_core.reports.findings import names

SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),  # From 1.
        pa.field("characters", pa.int32()),  # Of the whole record.
        pa.field("prompt_characters", pa.int32()),
        pa.field("answer_characters", pa.int32()),  # Of a pair: of the chosen side.
        pa.field("words", pa.int32()),  # Of the answer; a CJK character counts as a word.
        pa.field("turns", pa.int16()),
        pa.field("language", pa.string()),  # ISO 639-1; empty: cannot be told.
        pa.field("quality", pa.float32()),  # 0 to 1, by rules.
        pa.field("duplicate_of", pa.int64()),  # First row that it repeats exactly or nearly; else null.
        pa.field("findings", pa.list_(pa.string())),  # Names of what the checks found.
    ]
)

_COUNTED = ("characters", "prompt_characters", "answer_characters", "words", "turns")

SUFFIX = ".features.parquet"


def features_path(dataset_file: Path) -> Path:
    """Where the features of a dataset's Parquet file are."""
    return dataset_file.with_name(dataset_file.stem + SUFFIX)


# Some megabytes of columns at a time, whatever the dataset's size.
_ROWS_AT_ONCE = 100_000
_ROW_GROUP = 1 << 14
"""Small, since browsing picks single rows out of it."""


def write(path: Path, rows: Rows, languages: list[str]) -> None:
    """Write what the checks left of each record; ``languages`` are the codes that the column counts."""
    codes = pa.array(languages, pa.string())
    # Lists of names are made once for each combination that occurs, not for each record.
    combinations, which = np.unique(rows["found"], return_inverse=True)
    found = pa.array([names(mask) for mask in combinations.tolist()], pa.list_(pa.string()))
    places = np.arange(rows.count)
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for start in range(0, rows.count, _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            same = rows["duplicate_of"][some]
            columns = {
                "row": places[some] + 1,
                **{name: rows[name][some] for name in _COUNTED},
                "language": codes.take(pa.array(rows["language"][some])),
                "quality": rows["quality"][some],
                "duplicate_of": pa.array(same + 1, mask=same == places[some]),
                "findings": found.take(pa.array(which[some])),
            }
            writer.write_table(pa.table(columns, schema=SCHEMA), row_group_size=_ROW_GROUP)


def with_any(
    path: Path, wanted: Collection[str], without: Collection[str], offset: int, limit: int
) -> tuple[list[int], int]:
    """Numbers of rows that have one of these findings and none of those, a page of them; how many in all."""
    findings = pq.read_table(path, columns=["findings"])["findings"].combine_chunks()
    row, name = pc.list_parent_indices(findings), pc.list_flatten(findings)

    def having(names: Collection[str]) -> Any:
        return np.unique(row.filter(pc.is_in(name, pa.array(sorted(names), pa.string()))).to_numpy())

    found = np.setdiff1d(having(wanted), having(without), assume_unique=True) + 1
    return [int(number) for number in found[offset : offset + limit]], len(found)


class About(NamedTuple):
    """Why a row is listed."""

    findings: list[str]
    repeats: int | None
    """The first row that says the same."""


def about(path: Path, rows: Sequence[int]) -> dict[int, About]:
    """What is known of these rows, by number."""
    columns = ["row", "findings", "duplicate_of"]
    table = pq.read_table(path, columns=columns, filters=[("row", "in", list(rows))])
    return {one["row"]: About(one["findings"], one["duplicate_of"]) for one in table.to_pylist()}
