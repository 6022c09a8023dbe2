"""Which prompts a version of a dataset has answers to, as hashes beside it: looked up without reading its records."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studio_core.base.atomic import sync_folder
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.data import parquet, versions
from studio_core.data.shapes import Message, Record
from studio_core.labeling.items import prompt_hash

WHAT = "prompts.parquet"
"""Of the side file: one column ``hash``, of 64 bits each, rising."""

Hashes = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True)
class Prompts:
    """A set of prompts by their ``prompt_hash``.

    Of a hash 64 bits are kept: that a million prompts hold another one for known is a matter of one in ten
    to the thirteenth, and then one prompt is not compared on.
    """

    hashes: Sequence[Hashes]

    def __contains__(self, hash: str) -> bool:
        wanted = _short(hash)
        places = ((some, int(np.searchsorted(some, wanted))) for some in self.hashes)
        return any(place < len(some) and some[place] == wanted for some, place in places)


def prompts_in(studio: Studio, datasets: Sequence[Dataset]) -> Prompts:
    """All prompts of these versions; of one that nobody asked about yet they are found out first."""
    return Prompts([_hashes(studio, dataset) for dataset in datasets])


def _hashes(studio: Studio, dataset: Dataset) -> Hashes:
    side = versions.side_file(studio, dataset, WHAT)
    if not side.is_file():
        _write(side, _hashes_in(versions.parquet_path(studio, dataset)))
    hashes: Hashes = pq.read_table(side, columns=["hash"])["hash"].to_numpy()
    return hashes


def _hashes_in(file: Path) -> Hashes:
    asking = [name for name in parquet.columns(file) if name in ("prompt", "messages")]
    hashes = (
        _short(prompt_hash(prompt))
        for record in parquet.read(file, only=asking)
        for prompt in asked_in(record)
    )
    return np.unique(np.fromiter(hashes, np.uint64))


def _write(side: Path, hashes: Hashes) -> None:
    """Two who do this at once write the same, each under a name of its own."""
    descriptor, name = tempfile.mkstemp(prefix=f"{side.name}.", suffix=".partial", dir=side.parent)
    try:
        with open(descriptor, "wb") as file:
            pq.write_table(pa.table({"hash": hashes}), file, use_dictionary=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, side)
        sync_folder(side.parent)
    finally:
        Path(name).unlink(missing_ok=True)


def _short(hash: str) -> np.uint64:
    return np.uint64(int(hash[:16], 16))


def asked_in(record: Record) -> Iterator[Sequence[Message]]:
    """Every conversation up to a turn of the user that the record has an answer to."""
    if "prompt" in record:
        yield record["prompt"]
    messages: Sequence[Message] = record.get("messages", ())
    for end, message in enumerate(messages):
        if message["role"] == "assistant" and end and messages[end - 1]["role"] == "user":
            yield messages[:end]
