"""A page of rollouts out of 100,000, however it is asked for: promised are 300 ms.

``python -m tests.bench rollouts`` writes as many as a run keeps at most by usual settings times ten (64 MB).
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio_core.runs import rollouts
from studio_core.runs.rollouts import Rollout, RolloutWriter
from tests.bench.sizes import size

ROWS = size("ROLLOUTS", 100_000, 1_000)
REPEATS = size("ROLLOUTS_REPEATS", 20, 2)
GROUP, STEP = 8, 32
WORDS = [
    "the",
    "of",
    "and",
    "to",
    "carry",
    "ones",
    "tens",
    "boxed",
    "answer",
    "is",
    "because",
    "then",
    "so",
    "we",
    "get",
]


def written(rows: int) -> Iterator[Rollout]:
    """Prompts of 20 words and answers of 80."""
    draw = random.Random(0)
    prompt = ""
    for row in range(rows):
        if row % GROUP == 0:
            prompt = f"What is {row // GROUP} plus {row % 97}? {' '.join(draw.choices(WORDS, k=20))}"
        boxed, equal = draw.choice((0.0, 1.0)), draw.choice((0.0, 1.0, None))
        yield Rollout(
            step=row // STEP + 1,
            prompt=prompt,
            answer=" ".join(draw.choices(WORDS, k=80)),
            rewards={"boxed": boxed, "equality": equal},
            reward=boxed + (equal or 0.0),
            advantage=draw.random(),
            tokens=80,
            ended=True,
        )


QUESTIONS: dict[str, dict[str, Any]] = {
    "newest": {},
    "best": {"order": "best"},
    "prompts that vary most": {"order": "varied"},
    "one step": {"step": ROWS // STEP // 2},
    "the thousandth page": {"offset": ROWS // 5},
    "text of one prompt": {"text": "What is 77 plus"},
    "Chinese text": {"text": "进位"},
    "text in every answer": {"text": "carry"},
}


def main(rows: int = ROWS) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        begun, cpu = time.perf_counter(), time.process_time()
        # Twice as many as it may hold, so that all of them are kept.
        RolloutWriter(folder, 2 * rows).write(written(rows))
        per = (time.process_time() - cpu) / rows * 1e6
        print(
            f"{rows:,} rollouts written in {time.perf_counter() - begun:.1f} s, {per:.0f} µs of processor each"
        )
        print(f"\n{'24 of them, ms':24} {'median':>8} {'worst':>8} {'CPU':>8}   of")
        for name, question in QUESTIONS.items():
            times, cpu = [], time.process_time()
            for _ in range(REPEATS):
                begun = time.perf_counter()
                page = rollouts.page(folder, **question, limit=24)
                times.append((time.perf_counter() - begun) * 1e3)
            used = (time.process_time() - cpu) * 1e3 / REPEATS
            print(f"{name:24} {statistics.median(times):8.0f} {max(times):8.0f} {used:8.0f}   {page.total:,}")


if __name__ == "__main__":
    main()
