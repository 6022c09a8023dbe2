"""A report over 100,000 items: opened from stored files, its statistics, and the page that is shared.

``python -m tests.bench report``. Promised are 300 ms for opening the report of two models on one suite, files read and
reckoned, and for a page of its items; and for the statistics alone. Right and wrong is the usual suite; scores and
clusters of many small suites, which are drawn again, and models without a common order of items take longest.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from studio_core.base import clock
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import Evaluation, Job
from studio_core.evaluation import browsing, items_file, loading
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.evaluation.page import page
from studio_core.evaluation.report import Report, Result, report
from tests.bench.sizes import size

ITEMS = size("EVALUATION_ITEMS", 100_000, 1_000)
REPEATS = size("EVALUATION_REPEATS", 10, 1)


def results(models: int, suites: int, clustered: bool = False, scores: bool = False) -> list[Result]:
    """So many items over all."""
    random = np.random.default_rng(0)
    n = ITEMS // models // suites
    made = []
    for suite in range(suites):
        items = [f"item {place}" for place in range(n)]
        clusters = [f"text {place // 5}" for place in range(n)] if clustered else None
        hard = random.random(n)
        for model in range(models):
            values = np.round(hard + random.normal(0, 0.2, n)).clip(0, 1)
            made.append(
                Result(
                    f"model {model}",
                    f"suite {suite}",
                    items if model == 0 else [*items],
                    random.normal(hard) if scores else values,
                    clusters=clusters,
                    tokens=random.integers(10, 400, n).astype(float),
                    truncated=hard > 0.95,
                    readable=hard < 0.9,
                    seconds=n / 20,
                    unit="score" if scores else "share",
                )
            )
    return made


def shuffled(made: list[Result]) -> list[Result]:
    """The same items in another order for each model."""
    random = np.random.default_rng(1)
    turned = []
    for result in made:
        order = random.permutation(len(result.items))
        items, values = [result.items[place] for place in order], result.values[order]
        turned.append(replace(result, items=items, values=values, clusters=None))
    return turned


CASES: dict[str, Callable[[], list[Result]]] = {
    "right and wrong, 2 x 10": lambda: results(2, 10),
    "right and wrong, 8 x 50": lambda: results(8, 50),
    "one suite, 2 models": lambda: results(2, 1),
    "in another order": lambda: shuffled(results(2, 10)),
    "clusters, 2 x 10": lambda: results(2, 10, clustered=True),
    "scores, 2 x 10": lambda: results(2, 10, scores=True),
    "scores, 4 x 90 (bootstrap)": lambda: results(4, 90, scores=True),
}


def stored(studio: Studio, questions: int) -> Job:
    """An evaluation of two models on so many questions of one suite, as a worker leaves it: prompts of 200 characters,
    answers of 400, a fifth of the questions answered differently."""
    random, models = np.random.default_rng(0), ["model 0", "model 1"]
    folder = studio.settings.runs / "1"
    folder.mkdir(parents=True)
    hard = random.random(questions)
    for place in range(2):
        right = hard + random.normal(0, 0.2, questions) < 0.6
        rows = (
            AnsweredItem(
                item=str(number),
                kind="question",
                cluster="",
                prompt=[{"role": "user", "content": f"What is {number} plus {number}? {'so ' * 60}"}],
                key=str(2 * number),
                answers=(f"{2 * number} {'because ' * 50}",),
                values=(float(right[number]),),
                reason="" if right[number] else "wanted",
                reason_values={} if right[number] else {"wanted": str(2 * number)},
                tokens=80.0,
            )
            for number in range(questions)
        )
        items_file.write(folder / f"items-{place}.parquet", rows)
    with studio.db.write() as session:
        spec = {"models": models, "suites": [{"name": "own"}]}
        ended = {"state": "succeeded", "finished_at": clock.now()}
        session.add(Job(id=1, kind="evaluate", name="bench", spec=spec, position=1, **ended))
        session.flush()
        session.add_all(
            Evaluation(
                job_id=1,
                model=model,
                suite="own",
                questions="0" * 32,
                value=0.5,
                figures={"items": questions},
                file=f"items-{place}.parquet",
                created_at=clock.now(),
            )
            for place, model in enumerate(models)
        )
    with studio.db.read() as session:
        return session.get_one(Job, 1)


def opening() -> None:
    """A report and its items from what is stored."""
    with tempfile.TemporaryDirectory() as temporary, closing(open_studio(home=Path(temporary))) as studio:
        job = stored(studio, ITEMS)
        tasks: dict[str, Callable[[], object]] = {
            "report opened": lambda: loading.of_job(studio, job, "en"),
            "first page of items": lambda: items(studio, job, "all", 0),
            "counts, last page of those won": lambda: items(studio, job, "won", -24),
        }
        print(f"2 models on {ITEMS:,} stored items, ms {'median':>8} {'worst':>8} {'CPU':>8}")
        for name, task in tasks.items():
            used = time.process_time()
            times = milliseconds(task)
            cpu = (time.process_time() - used) * 1e3 / REPEATS
            print(f"{name:36} {statistics.median(times):8.0f} {max(times):8.0f} {cpu:8.0f}")


def items(studio: Studio, job: Job, which: str, start: int) -> list[tuple[AnsweredItem, AnsweredItem]]:
    """24 of them with the counts of all filters, as the page shows."""
    pair = browsing.pair(studio, job)
    pair.counts()
    return list(pair.read(pair.places(which)[start:][:24]))


def milliseconds(work: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        times.append((time.perf_counter() - begun) * 1e3)
    return times


def main() -> None:
    opening()
    print(f"\n{ITEMS:,} items, ms {'report':>22} {'worst':>8} {'opened again':>13} {'page':>8}")
    for name, make in CASES.items():
        made = make()
        times = milliseconds(lambda: report(made))  # noqa: B023
        document = report(made)
        stored = document.model_dump_json()
        opened = statistics.median(milliseconds(lambda: Report.model_validate_json(stored)))  # noqa: B023
        drawn = statistics.median(milliseconds(lambda: page(document, "en")))  # noqa: B023
        print(f"{name:30} {statistics.median(times):8.0f} {max(times):8.0f} {opened:13.1f} {drawn:8.0f}")


if __name__ == "__main__":
    main()
