"""Records that hold what an evaluation asks, or prompts of another dataset version.

A suite's texts are cut into runs of 13 words (of 8 where a text is shorter than 13 words). A record overlaps
with a text if it holds at least half of its runs. Runs that stand in more than ten texts of a suite are
instructions, not questions, and do not count. Of texts shorter than 8 words those that are known to be whole
questions overlap with a record that asks just that; others are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from pydantic import BaseModel

from studio_core.base.errors import StudioError
from studio_core.data import readers
from studio_core.data.shapes import COLUMNS, Shape
from studio_core.data.words import Hashes, Places, Words, words
from studio_core.reports.batch import Batch, batches
from studio_core.reports.check import PROMPTED, Check, Rows
from studio_core.suites import SUITES

# 13 words as GPT-3's authors took them: shorter runs are common phrases, longer ones miss what was edited.
RUN, SHORT_RUN = 13, 8
HALF = 0.5
_COMMON = 10
_LISTED = 100
# Bounds the memory of the words of a large suite.
_TEXTS_AT_ONCE = 2000


class Hit(BaseModel):
    row: int
    suite: str
    item: int
    """Line or row of the suite's file, from 1."""
    share: float
    """Of the item's runs of words, those that the record holds."""


class Suite(BaseModel):
    name: str
    texts: int
    """Texts that records were compared with."""
    too_short: int
    rows: int
    """Records that overlap with it."""
    problem: str = ""
    """Why it could not be read."""


class Other(BaseModel):
    name: str
    prompts: int
    rows: int
    """Records whose prompt stands in it too."""


class Overlap(BaseModel):
    suites: list[Suite]
    hits: list[Hit]
    others: list[Other]


class Texts(NamedTuple):
    """What records are compared with."""

    name: str
    texts: Iterable[tuple[int, str]]
    """Each with its line or row in the file, from 1."""
    questions: bool = False
    """Each is a whole question, as a suite asks it, and no answer or part of one."""


class Index:
    """Runs of words of all suites: which text has which."""

    def __init__(self, suites: Iterable[Texts]) -> None:
        self.suites: list[Suite] = []
        self.items: list[tuple[int, int]] = []
        """Of each text: number of its suite, and its line in it."""
        self.runs: dict[int, tuple[Hashes, Places]] = {}
        """``{length: (runs, sorted; which text)}``"""
        self.short: dict[tuple[str, ...], list[int]] = {}
        """Words of questions that are shorter than a run: which texts."""
        found: dict[int, list[tuple[Hashes, Places]]] = {RUN: [], SHORT_RUN: []}
        for number, texts in enumerate(suites):
            suite = Suite(name=texts.name, texts=0, too_short=0, rows=0)
            self.suites.append(suite)
            try:
                self._take(number, suite, texts, found)
            except (StudioError, OSError) as error:
                # A suite that cannot be read is told in the report, and keeps nobody from the rest of it.
                suite.problem = str(error)[:300]
        self.counts = np.zeros(len(self.items), np.int64)
        for length, pieces in found.items():
            runs, owners = (
                (np.concatenate(column) for column in zip(*pieces, strict=True))
                if pieces
                else (np.zeros(0, np.uint64), np.zeros(0, np.int64))
            )
            runs, owners = _without_common(runs, owners)
            self.counts += np.bincount(owners, minlength=len(self.items))
            self.runs[length] = runs, owners

    def _take(
        self, number: int, suite: Suite, given: Texts, found: dict[int, list[tuple[Hashes, Places]]]
    ) -> None:
        long: list[list[str]] = []
        short: list[list[str]] = []
        lines: dict[int, list[int]] = {RUN: [], SHORT_RUN: []}
        for line, text in given.texts:
            said = words(text)
            if len(said) < SHORT_RUN:
                if given.questions and said:
                    suite.texts += 1
                    self.short.setdefault(tuple(said), []).append(len(self.items))
                    self.items.append((number, line))
                else:
                    suite.too_short += 1
                continue
            suite.texts += 1
            (long if len(said) >= RUN else short).append(said)
            lines[RUN if len(said) >= RUN else SHORT_RUN].append(line)
        for length, said_texts in ((RUN, long), (SHORT_RUN, short)):
            first = len(self.items)
            self.items += [(number, line) for line in lines[length]]
            for start in range(0, len(said_texts), _TEXTS_AT_ONCE):
                some = Words(said_texts[start : start + _TEXTS_AT_ONCE])
                runs, offsets = some.grams(some.starts[:-1], some.starts[1:], length)
                texts = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)) + first + start
                found[length].append((runs, texts))

    def hits(self, batch: Batch) -> Iterator[tuple[int, int, float]]:
        """``(place in the batch, text, share of the text's runs)`` from ``HALF`` on."""
        if self.short:
            for place, said in enumerate(batch.prompt_words):
                yield from ((place, text, 1.0) for text in self.short.get(tuple(said), ()))
        held: Counter[tuple[int, int]] = Counter()
        for length, (runs, texts) in self.runs.items():
            if not len(runs):
                continue
            own, offsets = batch.words.grams(*batch.whole_spans, length)
            at = np.searchsorted(runs, own)
            known = np.flatnonzero(runs[np.minimum(at, len(runs) - 1)] == own)
            places = np.searchsorted(offsets, known, side="right") - 1
            # A record that repeats a run has it once.
            seen = {(int(place), int(own[k])) for place, k in zip(places, known, strict=True)}
            for place, run in seen:
                low, high = (
                    np.searchsorted(runs, np.uint64(run)),
                    np.searchsorted(runs, np.uint64(run), "right"),
                )
                held.update((place, int(text)) for text in texts[low:high])
        for (place, text), count in held.items():
            # Of the runs that count: common ones are gone from both sides.
            part = count / int(self.counts[text])
            if part >= HALF:
                yield place, text, part


def _without_common(runs: Hashes, texts: Places) -> tuple[Hashes, Places]:
    """Sorted by run; each text has a run once, and runs of many texts are gone."""
    order = np.lexsort((texts, runs))
    runs, texts = runs[order], texts[order]
    if len(runs):
        new = np.concatenate([[True], (runs[1:] != runs[:-1]) | (texts[1:] != texts[:-1])])
        runs, texts = runs[new], texts[new]
        _, which, counts = np.unique(runs, return_inverse=True, return_counts=True)
        few = counts[which] <= _COMMON
        runs, texts = runs[few], texts[few]
    return runs, texts


class OverlapCheck(Check[Overlap]):
    name: ClassVar[str] = "overlap"
    finds: ClassVar[tuple[str, ...]] = ("in_suite", "in_other_version")

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self._index = Index(_texts(name, path) for name, path in asked.suites.items())
        self._rows: Counter[int] = Counter()
        self._hits: list[Hit] = []
        others = asked.others if asked.shape in PROMPTED else {}
        self._others = {name: _prompts(path) for name, path in others.items()}
        self._in_other: Counter[str] = Counter()

    def see(self, batch: Batch) -> None:
        if self._index.items:
            self._see_suites(batch)
        if self._others:
            own = _prompt_keys(batch)
            for name, known in self._others.items():
                for place in np.flatnonzero(np.isin(own, known)):
                    self._in_other[name] += 1
                    batch.flag(int(place), "in_other_version")

    def _see_suites(self, batch: Batch) -> None:
        touched: set[tuple[int, int]] = set()
        for place, text, part in self._index.hits(batch):
            number, line = self._index.items[text]
            touched.add((place, number))
            batch.flag(place, "in_suite")
            # Counting goes on; only the list ends.
            if len(self._hits) < _LISTED:
                name = self._index.suites[number].name
                self._hits.append(Hit(row=batch.first + place, suite=name, item=line, share=round(part, 3)))
        self._rows.update(number for _, number in touched)

    def result(self, rows: Rows) -> Overlap:
        for number, suite in enumerate(self._index.suites):
            suite.rows = self._rows[number]
        others = [
            Other(name=name, prompts=len(known), rows=self._in_other[name])
            for name, known in self._others.items()
        ]
        return Overlap(suites=self._index.suites, hits=self._hits, others=others)


def _texts(name: str, path: Path) -> Texts:
    """Of one of the studio's own suites the questions, of all other files whatever text they hold."""
    suite = SUITES.get(name)
    if suite is None or suite.source is not None or path != suite.file(Path()):
        return Texts(name, texts_of(path))
    return Texts(name, ((number, item.question) for number, item in enumerate(suite.items, start=1)), True)


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every text in a file of any kind that the studio reads, with its line or row; of plain text its lines."""
    if path.suffix.lower() in (".txt", ".md"):
        with open(path, encoding="utf-8", errors="replace") as file:
            yield from enumerate(file, start=1)
        return
    for line, row in readers.rows(readers.recognise(path)):
        yield from ((line, text) for text in _strings(row))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inside in value.values() if isinstance(value, dict) else value:
            yield from _strings(inside)


def _prompts(path: Path) -> Places:
    """Keys of the prompts of another version."""
    columns = pq.read_schema(path).names
    for shape in (Shape.PROMPT_ONLY, Shape.CHAT):
        [column] = COLUMNS[shape]
        if column in columns:
            keys = [_prompt_keys(batch) for batch in batches(path, shape, [column])]
            return np.unique(np.concatenate([np.zeros(0, np.int64), *keys]))
    return np.zeros(0, np.int64)


def _prompt_keys(batch: Batch) -> Places:
    """By the words alone, so that spelling and punctuation do not hide a prompt."""
    return np.fromiter((hash(tuple(said)) for said in batch.prompt_words), np.int64, len(batch))
