"""Import, report and export in rows/s at 1, 10 and 100 times the size, on one thread of one core.

Each import stands beside pyarrow reading the same file into a table, measured in turn with it. The import
also recognises the file, checks every row, writes Parquet and hashes the content. ``BENCH_ROWS=200`` is a quick trial.
"""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from studio_core.base.studio import open_studio
from studio_core.data import outgoing, store, versions
from studio_core.data.shapes import Shape
from studio_core.reports.compute import compute
from tests.bench.sizes import size

T = TypeVar("T")

ROWS = size("ROWS", 2000, 20)
ROUNDS = {1: size("REPEATS", 5, 1), 10: size("REPEATS", 3, 1), 100: 1}
"""How often each size is measured, by how many times ``ROWS`` it is."""


def rows(count: int) -> Iterator[dict[str, str]]:
    """Questions and answers of words that occur as unevenly as words do."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnoprstuvw", k=rng.randint(2, 9))) for _ in range(5000)]
    weights = [1 / place for place in range(1, len(words) + 1)]
    for number in range(count):
        said = rng.choices(words, weights, k=rng.randint(40, 140))
        yield {
            "instruction": f"{number}: " + " ".join(said[:20]) + "?",
            "output": " ".join(said[20:]) + ".",
        }


def write_files(folder: Path, count: int) -> dict[Path, Callable[[Path], object]]:
    """The same rows as JSONL, CSV and Parquet, each with pyarrow's own reading of it."""
    jsonl, table, parquet = (folder / f"rows.{ending}" for ending in ("jsonl", "csv", "parquet"))
    with open(jsonl, "w") as lines, open(table, "w", newline="") as cells:
        writer = csv.DictWriter(cells, ["instruction", "output"])
        writer.writeheader()
        for row in rows(count):
            lines.write(json.dumps(row) + "\n")
            writer.writerow(row)
    read_json = pyarrow.json.ReadOptions(use_threads=False)
    read_csv = pyarrow.csv.ReadOptions(use_threads=False)
    pq.write_table(pyarrow.json.read_json(jsonl, read_json), parquet)
    return {
        jsonl: lambda file: pyarrow.json.read_json(file, read_json),
        table: lambda file: pyarrow.csv.read_csv(file, read_csv),
        parquet: lambda file: pq.read_table(file, use_threads=False),
    }


class Bench:
    def __init__(self, folder: Path, times: int) -> None:
        self.folder, self.times, self.count = folder, times, ROWS * times
        self.took: dict[str, list[float]] = {}

    def note(self, name: str, work: Callable[..., T], *arguments: Any, **more: Any) -> T:
        """Time the work in seconds of this process: those of other programs do not count."""
        begin = time.process_time()
        result = work(*arguments, **more)
        self.took.setdefault(name, []).append(time.process_time() - begin)
        return result

    def run(self) -> None:
        files = write_files(self.folder, self.count)
        for _ in range(ROUNDS[self.times]):
            studio = open_studio(home=Path(tempfile.mkdtemp(dir=self.folder)))
            for file, bare in files.items():
                imported = self.note(f"import {file.suffix[1:]}", store.import_file, studio, file)
                self.note(f"pyarrow {file.suffix[1:]}", bare, file)
            dataset = imported.dataset
            stored = versions.parquet_path(studio, dataset)
            features = versions.side_file(studio, dataset, "features.parquet")
            self.note("report", compute, stored, Shape(dataset.shape), features)
            for format, layout in (("jsonl", "trl"), ("csv", "trl"), ("parquet", "alpaca")):
                target = self.folder / f"out.{format}"
                name = f"export {format} {layout}"
                self.note(name, outgoing.export, studio, dataset, target, format, layout=layout)
            studio.close()

    def rate(self, name: str) -> float:
        return self.count / statistics.median(self.took[name])


def one_thread() -> None:
    """Everything on one core: what is compared is work, not how many cores a library takes."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def main() -> None:
    one_thread()
    benches = []
    for times in ROUNDS:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), times)
            bench.run()
            benches.append(bench)
    heads = [f"{bench.count:,} rows" for bench in benches]
    print(f"rows/s of processor time, at a load of {os.getloadavg()[0]:.1f}")
    print(f"{'':20}" + "".join(f"{head:>16}" for head in heads) + f"{'linear is 1.0':>16}")
    for name in benches[0].took:
        rates = [bench.rate(name) for bench in benches]
        print(f"{name:20}" + "".join(f"{rate:16,.0f}" for rate in rates) + f"{rates[-1] / rates[0]:16.2f}")
    for ending in ("jsonl", "csv", "parquet"):
        ratios = [bench.rate(f"pyarrow {ending}") / bench.rate(f"import {ending}") for bench in benches]
        print(f"{ending + ', beside':20}" + "".join(f"{ratio:15.1f}x" for ratio in ratios))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"most memory: {peak} MB, the tables of pyarrow included")


if __name__ == "__main__":
    main()
