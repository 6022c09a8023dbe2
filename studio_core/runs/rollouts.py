"""Rollouts: what a model wrote while it learnt from rewards, and what each answer was worth. One line of JSON each.

    step         of the update that learns from it
    prompt       what was asked: the last turn
    answer       what was written
    rewards      {name: number or null}, null where a reward could not say
    reward       their weighted sum; null if none could say
    advantage    by how much it was better than the other answers to the prompt, as the method scales it
    tokens       of the answer
    ended        whether the model ended it, and not the limit

The newest are kept: when a file is full, it takes the place of the one before. Workers import this: no database here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, TypedDict

Order = Literal["newest", "best", "worst"]

FILE, BEFORE = "rollouts.jsonl", "rollouts-before.jsonl"


class Rollout(TypedDict):
    step: int
    prompt: str
    answer: str
    rewards: dict[str, float | None]
    reward: float | None
    advantage: float
    tokens: int
    ended: bool


class RolloutWriter:
    """Appends rollouts; between half of ``kept`` and all of it remain."""

    def __init__(self, run_dir: Path, kept: int) -> None:
        self._file, self._before = run_dir / FILE, run_dir / BEFORE
        self._room = max(1, kept // 2)
        self._count = sum(1 for _ in _lines(self._file))

    def write(self, rollouts: Iterable[Rollout]) -> None:
        for rollout in rollouts:
            if self._count >= self._room:
                self._file.replace(self._before)
                self._count = 0
            # A reader sees whole lines only: one call of write each.
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rollout, ensure_ascii=False) + "\n")
            self._count += 1


def read(run_dir: Path) -> Iterator[Rollout]:
    """Those that are kept of a run, the oldest first; a line that is not yet whole is left out."""
    for file in (run_dir / BEFORE, run_dir / FILE):
        for line in _lines(file):
            if line.endswith("\n"):
                yield json.loads(line)


def chosen(
    run_dir: Path | None, step: int | None = None, order: Order = "newest", limit: int = 20
) -> list[Rollout]:
    """At most ``limit`` of those that are kept, of one step or of all; what has no reward is neither best nor worst."""
    kept = [*read(run_dir)] if run_dir else []
    kept = [one for one in reversed(kept) if step in (None, one["step"])]
    if order != "newest":
        kept = [one for one in kept if one["reward"] is not None]
        kept.sort(key=lambda one: one["reward"] or 0.0, reverse=order == "best")
    return kept[:limit]


def _lines(file: Path) -> Iterator[str]:
    if file.is_file():
        with file.open(encoding="utf-8") as opened:
            yield from opened
