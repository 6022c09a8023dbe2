"""Looking through five million records: milliseconds of each kind of question, first answer and full count.

``python -m tests.bench browse`` makes the records (about 1 GB), a features file and the index of
words in a temporary folder, and asks each question with other words or filters each time.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from studio_core.base.settings import load
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import Dataset
from studio_core.browse import browse, diff
from studio_core.browse.browse import Query
from studio_core.browse.search_index import build_index, index_path
from studio_core.data import parquet, versions
from studio_core.data.shapes import Shape
from studio_core.data.versions import Made
from studio_core.reports import features
from tests.bench.sizes import size

ROWS = size("ROWS", 5_000_000, 5_000)
REPEATS = size("REPEATS", 20, 2)
RARE_EVERY = 100_003
"""A word that stands in one of so many records, and so in few blocks of them."""


class Texts:
    """Sentences whose words are as unequally frequent as those of a language; every tenth is Chinese."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
        weights = 1 / np.arange(1, 27) ** 0.7
        lengths = self.random.integers(2, 11, 200_000)
        drawn = self.random.choice(letters, int(lengths.sum()), p=weights / weights.sum())
        self.words = ["".join(part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]
        self.sentences = self._sentences(self.words, 300_000, (6, 20), 1.0, " ")
        signs = [chr(code) for code in range(0x4E00, 0x4E00 + 3500)]
        self.chinese = self._sentences(signs, 60_000, (8, 30), 0.8, "")

    def _sentences(
        self, words: list[str], count: int, length: tuple[int, int], power: float, space: str
    ) -> list[str]:
        weights = 1 / np.arange(1, len(words) + 1) ** power
        lengths = self.random.integers(*length, count)
        drawn = self.random.choice(len(words), int(lengths.sum()), p=weights / weights.sum())
        parts = np.split(drawn, np.cumsum(lengths)[:-1])
        return [space.join(words[place] for place in part) + "." for part in parts]

    def records(self, first: int, count: int) -> Iterator[list[dict[str, str]]]:
        places = self.random.integers(0, len(self.sentences), (count, 4))
        for number, place in enumerate(places, first):
            if number % 10 == 3:
                said = [self.chinese[at % len(self.chinese)] for at in place]
            else:
                said = [self.sentences[at] for at in place]
            if number % RARE_EVERY == 77:
                said[3] += f" The quokka{number % 7} sat."
                said[2] += "稀罕的麒麟"
            if number == 4 * ROWS // 5:
                said[1] += " zyzzyva"
            yield [
                {"role": "user", "content": f"{said[0]} Number {number}?"},
                {"role": "assistant", "content": "\n".join(said[1:])},
            ]


def made(studio: Studio, rows: int) -> Dataset:
    """A version of so many records, with its features file and its index."""
    texts, schema = Texts(), parquet.schema(Shape.CHAT)
    partial = studio.settings.uploads / "made.partial"
    with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for first in range(1, rows + 1, parquet.ROW_GROUP):
            some = list(texts.records(first, min(parquet.ROW_GROUP, rows - first + 1)))
            writer.write_table(pa.table([pa.array(some, type=schema.field(0).type)], schema=schema))
    described = Made("five-million", Shape.CHAT, rows, "0" * 64, "made")
    dataset, _ = versions.add(studio, partial, described)
    path = versions.parquet_path(studio, dataset)
    random = texts.random
    columns: dict[str, Any] = {
        "row": np.arange(1, rows + 1),
        "quality": random.random(rows, dtype=np.float32),
        "language": random.choice(["en", "zh", "de"], rows, p=[0.89, 0.1, 0.01]),
        "duplicate_of": pa.nulls(rows, pa.int64()),
        "findings": pa.ListArray.from_arrays(
            np.concatenate([[0], np.cumsum(random.random(rows) < 0.05)]).astype(np.int32),
            pa.array(["near_duplicate"] * rows),
        ),
    }
    for field in features.SCHEMA:
        if field.name not in columns:
            columns[field.name] = random.integers(1, 500, rows)
    table = pa.table(
        [pa.array(columns[f.name]).cast(f.type) for f in features.SCHEMA], schema=features.SCHEMA
    )
    pq.write_table(table, features.features_path(path), row_group_size=1 << 14)
    begun = time.perf_counter()
    words = build_index(path, index_path(path))
    took = time.perf_counter() - begun
    print(
        f"{rows:,} records, {path.stat().st_size / 1e6:.0f} MB; index of {words:,} words, "
        f"{index_path(path).stat().st_size / 1e6:.0f} MB, made in {took:.0f} s ({rows / took:,.0f} records/s)"
    )
    return dataset


def questions(rows: int) -> dict[str, Callable[[int], tuple[Query, int]]]:
    """Each question for its ``n``-th asking, and from which record on."""
    common = ["ta", "e ", "et", "th", "the", "ing", "at", "on", "ti", "re"]
    return {
        "first page": lambda n: (Query(), 0),
        "a page deep inside": lambda n: (Query(), rows * (n + 1) // (REPEATS + 2)),
        "last records first": lambda n: (Query(descending=True), 25 * n),
        "filter: quality, length": lambda n: (
            Query(ranges=(("quality", 0.9 - n / 100, None), ("characters", 100, 400))), 25 * n,
        ),
        "filter: language, finding": lambda n: (Query(language="de", findings=("near_duplicate",)), 25 * n),
        "sorted by quality": lambda n: (Query(sort="quality", descending=True), 1000 * n),
        "word in most records": lambda n: (Query(common[n % 10] + ("" if n < 10 else "a")), 0),
        "filter and word": lambda n: (Query(f"number {n % 9 + 1}", language="de"), 0),
        "rare word (50 records)": lambda n: (Query(f"quokka{'' if n % 8 == 7 else n % 8}"), 0),
        "one record of all": lambda n: (Query("zyzzyva" if n % 2 else f"{rows // 2 + n * 1009}?"), 0),
        "no record at all": lambda n: (Query(f"qqzx{n}"), 0),
        "phrase": lambda n: (Query(f'"the quokka{n % 7} sat."'), 0),
        "Chinese, two signs": lambda n: (Query("麒麟"[: 2 - n % 2]), 0),
        "Chinese, five signs": lambda n: (Query("稀罕的麒麟"[n % 2 :]), 0),
        "regular expression": lambda n: (Query(regex=f"quok+a{n % 7}"), 0),
    }  # fmt: skip


def milliseconds(times: list[float]) -> str:
    ordered = sorted(time * 1e3 for time in times)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return f"{statistics.median(ordered):9.0f} {p95:9.0f} {ordered[-1]:9.0f}"


def main(rows: int = ROWS) -> None:
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as temporary:
        studio = open_studio(load(home=Path(temporary)))
        dataset = made(studio, rows)
        before = process.memory_info().rss
        print(
            f"\n{'first 25 records, ms':28} {'median':>9} {'95 %':>9} {'worst':>9} {'CPU':>9}   found  looked through"
        )
        for name, question in questions(rows).items():
            times, cpu = [], time.process_time()
            for n in range(REPEATS):
                browse.forget()
                query, offset = question(n)
                begun = time.perf_counter()
                page = browse.page(studio, dataset, query, offset)
                times.append(time.perf_counter() - begun)
            cpu = (time.process_time() - cpu) * 1e3 / REPEATS
            found = f"{page.total:,}{'' if page.exact else '+'}"
            print(f"{name:28} {milliseconds(times)} {cpu:9.0f}   {found}  {page.searched:.0%}", flush=True)
        print(f"\nmemory: {(process.memory_info().rss - before) / 1e6:+.0f} MB after all of these")
        for name, query in {
            "word in most records": Query("the"),
            "rare word": Query("quokka"),
            "regular expression": Query(regex="quok+a"),
        }.items():
            browse.forget()
            page = browse.page(studio, dataset, query, count_for=600.0)
            print(f"counted to the end: {name:24} {page.total:>9,} records in {page.seconds:5.1f} s")
        begun = time.perf_counter()
        other = _changed(studio, dataset)
        print(f"\nanother version made in {time.perf_counter() - begun:.0f} s")
        begun = time.perf_counter()
        counts = diff.compare(studio, dataset, other).counts
        print(f"compared with it in {time.perf_counter() - begun:.1f} s: {counts}")
        begun = time.perf_counter()
        diff.page(studio, dataset, other, "changed")
        print(f"a page of what changed: {(time.perf_counter() - begun) * 1e3:.0f} ms")
        studio.close()


def _changed(studio: Studio, dataset: Dataset) -> Dataset:
    """The first million records, each thousandth answered otherwise, each thousandth left out."""
    partial = studio.settings.uploads / "changed.partial"
    with open(partial, "w+b") as file:
        writer = parquet.Writer(file, Shape.CHAT)
        path = versions.parquet_path(studio, dataset)
        for number, record in enumerate(parquet.read(path, 0, min(dataset.rows, 1_000_000))):
            if number % 1000 == 1:
                record["messages"][1]["content"] += " Changed."
            if number % 1000 != 2:
                writer.add(record)
        sha256 = writer.close()
    return versions.add(studio, partial, Made("changed", Shape.CHAT, writer.rows, sha256, "made"))[0]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
