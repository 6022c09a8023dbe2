"""Records and prompts that repeat an earlier one, exactly or nearly; and what stands against what.

A training holds out rows at random. A prompt that stands in several rows is then likely to be on both
sides, and the loss on the held-out part looks better than it is: ``leak`` says by how much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
from pydantic import BaseModel

from studio_core.data.shapes import Shape, without_nulls
from studio_core.data.words import SHINGLE, Hashes, Places
from studio_core.reports.batch import ROWS_AT_ONCE, Batch
from studio_core.reports.check import PROMPTED, Check, Rows
from studio_core.reports.near import SIMILAR, NearRepeats
from studio_core.reports.statistics import Numbers

# The largest ones tell what repeats; the features file has all.
LISTED = 20


class Cluster(BaseModel):
    """Rows that say the same."""

    rows: int
    first: int
    """The row that comes first."""


class Duplicates(BaseModel):
    exact: int
    """Rows that repeat an earlier one exactly."""
    near: int
    """Rows that repeat an earlier one nearly, and none exactly."""
    similarity: float
    """Share of common shingles (three words in a row) from which on records are near repetitions."""
    largest: list[Cluster]
    prompts: int
    """Different prompts; 0 for plain text."""
    repeated_prompts: int
    """Rows whose prompt, word for word, stands in another row too."""
    near_prompts: int
    """Rows whose prompt nearly repeats an earlier one."""
    different_answers: int
    """Rows whose prompt stands in other rows with another answer."""
    contradictions: int
    """Rows whose preferred answer is rejected in another row with the same prompt."""
    held_out: float
    """Share of the rows that a training is taken to hold out at random."""
    leak: float
    """Of the rows held out, the share whose prompt is then trained on as well."""


class DuplicateCheck(Check[Duplicates]):
    name: ClassVar[str] = "duplicates"
    finds: ClassVar[tuple[str, ...]] = (
        "exact_duplicate",
        "near_duplicate",
        "repeated_prompt",
        "near_prompt",
        "different_answers",
        "contradiction",
    )

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self._prompted = asked.shape in PROMPTED
        self._whole = NearRepeats(asked.scratch)
        self._prompts = NearRepeats(asked.scratch)

    def see(self, batch: Batch) -> None:
        label = [record.get("label") for record in batch.records]
        if batch.shape is Shape.STEPWISE:
            label = [tuple(record["labels"]) for record in batch.records]
        # With its label: the same answer once good and once bad is no repetition but a contradiction.
        wholes = [(*part, known) for part, known in zip(batch.parts, label, strict=True)]
        batch.columns["whole"] = _keys(wholes)
        self._whole.add(*batch.words.grams(*batch.whole_spans, SHINGLE, short=True))
        if self._prompted:
            batch.columns["prompt"] = _keys([(part.system, part.prompt) for part in batch.parts])
            batch.columns["answer"] = _keys([part.answer for part in batch.parts])
            self._prompts.add(*batch.words.grams(*batch.prompt_spans, SHINGLE, short=True))
        if batch.shape is Shape.PREFERENCE:
            batch.columns["other"] = _keys([part.other for part in batch.parts])
        if batch.shape is Shape.UNPAIRED_PREFERENCE:
            batch.columns["label"] = np.array(label, bool)

    def result(self, rows: Rows) -> Duplicates:
        # Exact repetitions first: they are left out of the dear comparison of near ones.
        first = _first_with(rows["whole"])
        exact = first != np.arange(rows.count)
        near = self._whole.repeats(exact, self._shingles(lambda batch: batch.whole_spans))
        # An exact repetition belongs to where its first one belongs.
        duplicate_of = near[first]
        nearly = (duplicate_of != np.arange(rows.count)) & ~exact
        rows["duplicate_of"] = duplicate_of
        rows.flag(exact, "exact_duplicate")
        rows.flag(nearly, "near_duplicate")
        found = Duplicates(
            exact=int(exact.sum()),
            near=int(nearly.sum()),
            similarity=SIMILAR,
            largest=_largest(duplicate_of),
            prompts=0,
            repeated_prompts=0,
            near_prompts=0,
            different_answers=0,
            contradictions=0,
            held_out=self.asked.held_out,
            leak=0.0,
        )
        if self._prompted:
            self._judge_prompts(rows, found)
        # 8 bytes for each record and column, which nobody after this reads.
        rows.forget("whole", "prompt", "answer", "other", "label")
        return found

    def close(self) -> None:
        self._whole.close()
        self._prompts.close()

    def _judge_prompts(self, rows: Rows, found: Duplicates) -> None:
        first = _first_with(rows["prompt"])
        again = first != np.arange(rows.count)
        sizes = np.bincount(first, minlength=rows.count)[first]
        near = self._prompts.repeats(again, self._shingles(lambda batch: batch.prompt_spans))
        nearly = (near[first] != np.arange(rows.count)) & ~again
        answers = _pairs(first, _first_with(rows["answer"]))
        # More rows with this prompt than with this prompt and this answer.
        different = sizes > np.bincount(_first_with(answers), minlength=rows.count)[_first_with(answers)]
        against = self._against(rows, first)
        rows.flag(sizes > 1, "repeated_prompt")
        rows.flag(nearly, "near_prompt")
        rows.flag(against, "contradiction")
        if self.asked.shape is not Shape.PROMPT_ONLY:
            rows.flag(different, "different_answers")
            found.different_answers = int(different.sum())
        found.prompts = int((~again).sum())
        found.repeated_prompts = int((sizes > 1).sum())
        found.near_prompts = int(nearly.sum())
        found.contradictions = int(against.sum())
        # A held-out row leaks unless all others with its prompt are held out too.
        found.leak = round(float((1 - self.asked.held_out ** (sizes - 1.0)).mean()), 4)

    def _against(self, rows: Rows, prompts: Places) -> Numbers:
        """Rows whose preferred answer is rejected elsewhere, for the same prompt."""
        if self.asked.shape is Shape.PREFERENCE:
            chosen, rejected = (_mix(rows["prompt"], rows[side]) for side in ("answer", "other"))
            # A pair whose sides are alike is its own finding, not a contradiction.
            against: Numbers = np.isin(chosen, rejected) & (rows["answer"] != rows["other"])
            return against
        if self.asked.shape is Shape.UNPAIRED_PREFERENCE:
            pairs, good = _mix(rows["prompt"], rows["answer"]), rows["label"]
            return np.where(good, np.isin(pairs, pairs[~good]), np.isin(pairs, pairs[good]))
        return np.zeros(rows.count, bool)

    def _shingles(
        self, spans: Callable[[Batch], tuple[Places, Places]]
    ) -> Callable[[Places], Iterator[tuple[int, Hashes]]]:
        """Reads those records again whose shingles are asked for."""

        def read(places: Places) -> Iterator[tuple[int, Hashes]]:
            for begin, table in _groups(self.asked.file, places):
                low, high = np.searchsorted(places, [begin, begin + table.num_rows])
                # A row group may have 100,000 records in files from elsewhere.
                for start in range(int(low), int(high), ROWS_AT_ONCE):
                    some = places[start : min(start + ROWS_AT_ONCE, int(high))]
                    batch = Batch(
                        self.asked.shape, 1, [*map(without_nulls, table.take(some - begin).to_pylist())]
                    )
                    hashes, offsets = batch.words.grams(*spans(batch), SHINGLE, short=True)
                    # All records are done; this call is for whoever wants to stop.
                    self.asked.progress(self.asked.rows)
                    for place, at, end in zip(some.tolist(), offsets[:-1], offsets[1:], strict=True):
                        yield place, np.unique(hashes[at:end])

        return read


def _groups(file: Path, places: Places) -> Iterator[tuple[int, Any]]:
    """The row groups that hold these places, each with the place at which it begins."""
    with pq.ParquetFile(file) as opened:
        begin = 0
        for group in range(opened.num_row_groups):
            count = opened.metadata.row_group(group).num_rows
            low, high = np.searchsorted(places, [begin, begin + count])
            if high > low:
                yield begin, opened.read_row_group(group)
            begin += count


def _keys(values: list[Any]) -> Numbers:
    # Python's own hash: 64 bits, the same within this process, which is all that is needed.
    return np.fromiter(map(hash, values), np.int64, len(values))


def _first_with(keys: Numbers) -> Places:
    """For each place the first one with the same key."""
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return np.asarray(first[which], np.int64)


def _pairs(one: Places, other: Places) -> Places:
    # Two places in one number: up to 4 thousand million records.
    return one << 32 | other


def _mix(one: Numbers, other: Numbers) -> Numbers:
    # The golden ratio in 64 bits (Knuth): spreads neighbours far apart before the two keys are joined.
    return one * np.int64(-7046029254386353131) ^ other


def _largest(duplicate_of: Places) -> list[Cluster]:
    sizes = np.bincount(duplicate_of)
    order = np.argsort(-sizes, kind="stable")[:LISTED]
    return [Cluster(rows=int(sizes[at]), first=int(at) + 1) for at in order if sizes[at] > 1]
