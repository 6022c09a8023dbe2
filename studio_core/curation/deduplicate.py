"""Leave out records that repeat others, exactly or nearly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from studio_core.curation import features, parts
from studio_core.curation.base import Operation, OperationOptions, Work
from studio_core.data.shapes import without_nulls
from studio_core.options import option

Places = npt.NDArray[np.int64]


class DeduplicateOptions(OperationOptions):
    what: Literal["near", "exact"] = option("near", advanced=False)
    by: Literal["record", "prompt"] = option("record", advanced=False)
    keep: Literal["first", "best"] = option("first", advanced=False)


def run(work: Work, options: DeduplicateOptions) -> None:
    # How often all records are read: for what the bar shows.
    work.passes = 2 if options.what == "exact" else 3
    first = _exact(work, options.by)
    exact = first != np.arange(len(first))
    if options.what == "near":
        # Exact repeats are left out of the search: of each the first speaks for all.
        first = _near(work, options.by, exact)[first]
    chosen = _chosen(work, first, options.keep)
    output = work.output()
    for row, record in work.each():
        if chosen[first[row - 1]] == row - 1:
            output.add(record, row)
            work.count("kept")
        else:
            work.drop("exact_duplicate" if exact[row - 1] else "near_duplicate")


def _exact(work: Work, by: str) -> Places:
    """For each place the first one that says the same to the letter; prompts may differ in case and signs."""
    # Eight bytes a record: ten million of them fit in memory, their texts would not.
    keys = np.zeros(work.source.rows, np.uint64)
    for row, record in work.each():
        text = parts.normalised(parts.prompt_of(record)) if by == "prompt" else repr(record)
        keys[row - 1] = parts.fingerprint(text)
    work.go_on()
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return np.asarray(first[which], np.int64)


def _near(work: Work, by: str, leave_out: npt.NDArray[np.bool_]) -> Places:
    """For each place the first one that it nearly repeats, itself if none: as the report finds them."""
    from studio_core.data.words import SHINGLE, Hashes
    from studio_core.reports.batch import Batch, batches
    from studio_core.reports.near import NearRepeats

    def shingles(batch: Batch) -> tuple[Hashes, Places]:
        spans = batch.prompt_spans if by == "prompt" and has_prompts else batch.whole_spans
        return batch.words.grams(*spans, SHINGLE, short=True)

    def again(places: Places) -> Iterator[tuple[int, Hashes]]:
        for at, records in _at(work, places):
            hashes, offsets = shingles(Batch(work.source.shape, 1, records))
            work.go_on()
            for place, begin, end in zip(at.tolist(), offsets[:-1], offsets[1:], strict=True):
                yield place, np.unique(hashes[begin:end])

    has_prompts = work.source.shape != "text"
    near = NearRepeats(work.folder)
    try:
        for batch in batches(work.source.path, work.source.shape):
            near.add(*shingles(batch))
            work.go_on()
            work.report(work.source.rows + batch.first + len(batch), work.passes * work.source.rows, {})
        return near.repeats(leave_out, again)
    finally:
        near.close()


def _at(work: Work, places: Places) -> Iterator[tuple[Places, list[dict[str, Any]]]]:
    """The records at these places, which are in order, some at a time."""
    with pq.ParquetFile(work.source.path) as file:
        begin = 0
        for group in range(file.num_row_groups):
            end = begin + file.metadata.row_group(group).num_rows
            wanted = places[np.searchsorted(places, begin) : np.searchsorted(places, end)]
            if len(wanted):
                table = file.read_row_group(group)
                # A thousand as Python objects at a time; a row group may hold a million.
                for start in range(0, len(wanted), 1000):
                    some = wanted[start : start + 1000]
                    yield some, [*map(without_nulls, table.take(some - begin).to_pylist())]
            begin = end


def _chosen(work: Work, first: Places, keep: str) -> Places:
    """Which of each cluster is kept, at the place of its first one."""
    chosen = np.arange(len(first))
    if keep == "first":
        return chosen
    qualities = features.rows(features.file_of(work), ["quality"])
    quality = np.fromiter((row["quality"] for row in qualities), np.float32, len(first))
    # In order of quality, the earlier ones last: what is written last stays.
    order = np.lexsort((-np.arange(len(first)), quality))
    chosen[first[order]] = order
    return chosen


DEDUPLICATE = Operation(
    name="deduplicate", Options=DeduplicateOptions, run=run, by_record=False, group="clean"
)
