"""What one model answered to the items of one suite: a Parquet file, a row for each item, in the suite's order.

Workers import this: no database here.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio_core.base.atomic import sync_folder
from studio_core.runs.rollouts import Turn

_SCHEMA = pa.schema(
    {
        "item": pa.string(),
        "kind": pa.string(),
        "cluster": pa.string(),
        "prompt": pa.string(),
        "key": pa.string(),
        "answers": pa.list_(pa.string()),
        "values": pa.list_(pa.float64()),
        "value": pa.float64(),
        "reason": pa.string(),
        "reason_values": pa.string(),
        "readable": pa.bool_(),
        "truncated": pa.bool_(),
        "tokens": pa.float64(),
        "turns": pa.string(),
    }
)
# One page of items is read without the rest of them; the columns of figures stay together.
_ROW_GROUP = 2000


@dataclass(frozen=True)
class AnsweredItem:
    """One item with what the model answered, and what that is worth."""

    item: str
    kind: str
    cluster: str
    prompt: list[dict[str, Any]]
    """The conversation up to the last answer."""
    key: str
    """What a right answer says."""
    answers: tuple[str, ...]
    """As many as were drawn; none where scoring is by likelihood."""
    values: tuple[float, ...]
    """Of each answer, or the one of the item; not a number where it could not be scored."""
    reason: str = ""
    reason_values: dict[str, Any] = field(default_factory=dict)
    readable: bool = True
    truncated: bool = False
    tokens: float = math.nan
    """Of an answer in the mean; not a number where none was written."""
    turns: list[list[Turn]] = field(default_factory=list)
    """Of each answer all that was written for it, by the model and by its tools; empty where answers have one turn."""

    @property
    def value(self) -> float:
        """The mean over its answers that have one; not a number if none has."""
        known = [value for value in self.values if math.isfinite(value)]
        return sum(known) / len(known) if known else math.nan


def write(file: Path, rows: Iterable[AnsweredItem]) -> None:
    """Whole or not at all."""
    partial = file.with_suffix(".partial")
    table = pa.Table.from_pylist([_document(row) for row in rows], schema=_SCHEMA)
    pq.write_table(table, partial, row_group_size=_ROW_GROUP)
    with open(partial, "rb") as written:
        os.fsync(written.fileno())
    os.replace(partial, file)
    sync_folder(file.parent)


def _document(row: AnsweredItem) -> dict[str, Any]:
    return {
        **row.__dict__,
        "prompt": json.dumps(row.prompt, ensure_ascii=False),
        "answers": list(row.answers),
        "values": list(row.values),
        "value": row.value,
        "reason_values": json.dumps(row.reason_values, ensure_ascii=False, default=str),
        "turns": json.dumps(row.turns, ensure_ascii=False) if row.turns else None,
    }


def _row(document: dict[str, Any]) -> AnsweredItem:
    del document["value"]
    return AnsweredItem(
        **{
            **document,
            "prompt": json.loads(document["prompt"]),
            "answers": tuple(document["answers"]),
            "values": tuple(document["values"]),
            "reason_values": json.loads(document["reason_values"]),
            # Files that were written before there were turns have no such column.
            "turns": json.loads(document.get("turns") or "[]"),
        }
    )


def read(file: Path, places: Sequence[int] | None = None) -> Iterator[AnsweredItem]:
    """All rows, or those at these places (from 0), in that order; only row groups that have one of them are read."""
    with pq.ParquetFile(file) as opened:
        if places is None:
            for batch in opened.iter_batches():
                yield from map(_row, batch.to_pylist())
            return
        groups: dict[int, Any] = {}
        for place in places:
            group, within = divmod(place, _ROW_GROUP)
            if group not in groups:
                groups[group] = opened.read_row_group(group)
            yield _row(groups[group].slice(within, 1).to_pylist()[0])


@dataclass(frozen=True)
class Columns:
    """What a report needs of all items: arrays of one length."""

    items: list[str]
    clusters: list[str] | None
    """None: each item stands for itself."""
    values: npt.NDArray[np.float64]
    tokens: npt.NDArray[np.float64]
    truncated: npt.NDArray[np.bool_]
    readable: npt.NDArray[np.bool_]


def columns(file: Path) -> Columns:
    """Without prompts and answers, so that 100,000 items are read in some tens of milliseconds."""
    table = _columns(file, "item", "cluster", "value", "tokens", "truncated", "readable")
    return Columns(
        table["item"].to_pylist(),
        table["cluster"].to_pylist() if any(pc.unique(table["cluster"]).to_pylist()) else None,
        table["value"].to_numpy(),
        table["tokens"].to_numpy(),
        table["truncated"].to_numpy(),
        table["readable"].to_numpy(),
    )


def values(file: Path) -> npt.NDArray[np.float64]:
    """Of all items in their order: a fifth of the time of all columns, for who looks at a page of items."""
    of_all: npt.NDArray[np.float64] = _columns(file, "value")["value"].to_numpy()
    return of_all


def _columns(file: Path, *names: str) -> pa.Table:
    # On one thread: with so little to read several only wait for each other, the longer the busier the machine is.
    # Clusters are few texts over and over, or one empty text.
    with pq.ParquetFile(file, memory_map=True, read_dictionary=["cluster"]) as opened:
        return opened.read(columns=list(names), use_threads=False)
