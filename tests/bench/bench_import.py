"""Import of 100,000 rows in rows/s: each format beside a bare loop that only parses it.

The import also checks every row, writes Parquet and hashes the content.
"""

from __future__ import annotations

import csv
import gzip
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from studio_core.base.settings import bundled_folder
from studio_core.base.studio import open_studio
from studio_core.data import store
from studio_core.data.shapes import Shape
from studio_core.data.tokenized import lengths
from studio_core.runs.spec import ResolvedModel
from tests.bench.sizes import size

ROWS = size("ROWS", 100_000, 1_000)
REPEATS = size("REPEATS", 3, 1)

QUESTION = (
    "Weng earns ${} an hour for babysitting. Yesterday, she just did 50 minutes of babysitting. How much?"
)
ANSWER = "Weng earns {}/60 per minute.\nWorking 50 minutes, she earned 50 times that.\n#### {}"


def pairs() -> list[dict[str, str]]:
    return [{"question": QUESTION.format(n), "answer": ANSWER.format(n, n)} for n in range(ROWS)]


def files(folder: Path) -> dict[Path, Callable[[Path], object]]:
    """Each file with a loop that parses it and no more."""
    rows = pairs()
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    chats = "".join(
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": r["question"]},
                    {"role": "assistant", "content": r["answer"]},
                ]
            }
        )
        + "\n"
        for r in rows
    )
    (folder / "pairs.jsonl").write_text(lines)
    (folder / "chats.jsonl").write_text(chats)
    (folder / "pairs.json").write_text(json.dumps(rows, indent=1))
    (folder / "pairs.jsonl.gz").write_bytes(gzip.compress(lines.encode(), 5))
    with open(folder / "pairs.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    pq.write_table(pa.Table.from_pylist(rows), folder / "pairs.parquet")

    def by_line(path: Path) -> object:
        with open(path, "rb") as file:
            return sum(len(json.loads(line)) for line in file)

    def packed(path: Path) -> object:
        with gzip.open(path) as file:
            return sum(len(json.loads(line)) for line in file)

    def table(path: Path) -> object:
        with open(path, newline="") as file:
            return sum(len(row) for row in csv.reader(file))

    return {
        folder / "pairs.jsonl": by_line,
        folder / "chats.jsonl": by_line,
        folder / "pairs.json": lambda path: len(json.loads(path.read_bytes())),
        folder / "pairs.jsonl.gz": packed,
        folder / "pairs.csv": table,
        folder / "pairs.parquet": lambda path: len(pq.read_table(path).to_pylist()),
    }


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    print(
        f"{'file':16} {'MB':>6} {'import rows/s':>14} {'check only':>12} {'bare parse':>12} {'import/bare':>12}"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for path, bare in files(folder).items():
            imports, checks, parses = [], [], []
            for _ in range(REPEATS):
                studio = open_studio(home=Path(tempfile.mkdtemp(dir=folder)))
                imports.append(seconds(lambda: store.import_file(studio, path)))  # noqa: B023
                checks.append(seconds(lambda: store.inspect_file(studio, path)))  # noqa: B023
                parses.append(seconds(lambda: bare(path)))  # noqa: B023
                studio.close()
            took, checked, parsed = map(statistics.median, (imports, checks, parses))
            print(
                f"{path.name:16} {path.stat().st_size / 1e6:6.1f} {ROWS / took:14,.0f} {ROWS / checked:12,.0f} "
                f"{ROWS / parsed:12,.0f} {took / parsed:11.1f}x"
            )
        studio = open_studio(home=folder / "home")
        dataset = store.import_file(studio, folder / "chats.jsonl").dataset
        page = seconds(lambda: store.records(studio, dataset, ROWS // 2, 20))
        records = store.records(studio, dataset, limit=10_000)
        tiny = ResolvedModel(name="tiny-chat", path=str(bundled_folder() / "models" / "tiny-chat"))
        measured = seconds(lambda: lengths(tiny, Shape.CHAT, records))
        store.ensure_samples(studio)
        again = statistics.median(seconds(lambda: store.ensure_samples(studio)) for _ in range(10))
        print(
            f"\n20 records from the middle: {page * 1e3:.0f} ms; lengths in tokens: {10_000 / measured:,.0f} rows/s"
        )
        print(f"samples that are there already: {again * 1e3:.1f} ms")
        studio.close()


if __name__ == "__main__":
    main()
