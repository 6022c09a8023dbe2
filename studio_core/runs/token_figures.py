"""What training made of the tokens of some rollouts, one by one. One line of JSON for each of these rollouts.

    mark         of the rollout
    tokens       their texts, in order; the one that ends an answer too
    advantage    by how much each was better than expected, where it has its own (PPO); else that of the answer holds
    entropy      of what each was drawn from, nats
    ratio        how much likelier each was in the last update than when it was written; none where that is 1 by its
                 nature: learnt from once, by the model that wrote it

Of each step the best, the worst and the newest rollouts have one. Workers import this: no database here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

FILE, BEFORE = "rollout-tokens.jsonl", "rollout-tokens-before.jsonl"
KEPT = 1_000
"""Rollouts of a run, the newest: with 500 tokens each these are 15 MB, a page of which takes 30 ms of processor."""
NEWEST = 2
"""Of a step, beside its best and its worst: what the newest page shows first."""
_FIGURES = 3
"""Significant: more is not seen in a shade."""

_MARK = b'{"mark": "'


class TokenFigures(TypedDict, total=False):
    tokens: list[str]
    advantage: list[float]
    entropy: list[float]
    ratio: list[float]


def places(rewards: Sequence[float | None]) -> list[int]:
    """Which rollouts of a step have figures by token, of rewards in the order in which they were written."""
    scored = {place: reward for place, reward in enumerate(rewards) if reward is not None}
    ends = [choice(scored, key=scored.__getitem__) for choice in (max, min)] if scored else []
    return sorted({*ends, *range(max(0, len(rewards) - NEWEST), len(rewards))})


def short(values: Sequence[float]) -> list[float]:
    """As they are kept."""
    return [float(f"{value:.{_FIGURES}g}") for value in values]


class TokenFiguresWriter:
    """Appends them; between half of ``KEPT`` and all of it remain."""

    def __init__(self, run_dir: Path) -> None:
        self._file, self._before = run_dir / FILE, run_dir / BEFORE
        self._count = sum(1 for _ in _lines(self._file))

    def write(self, mark: str, figures: TokenFigures) -> None:
        if self._count >= KEPT // 2:
            self._file.replace(self._before)
            self._count = 0
        line = json.dumps({"mark": mark, **figures}, ensure_ascii=False).encode() + b"\n"
        with self._file.open("ab") as file:
            file.write(line)
        self._count += 1


def read(run_dir: Path, marks: Collection[str]) -> dict[str, TokenFigures]:
    """Of these rollouts those that have any."""
    wanted = {mark.encode() for mark in marks}
    found: dict[str, TokenFigures] = {}
    for file in (run_dir / BEFORE, run_dir / FILE):
        for line in _lines(file):
            if line[len(_MARK) : line.find(b'"', len(_MARK))] in wanted:
                with suppress(ValueError):  # Torn by a full disk, or on its way.
                    figures = json.loads(line)
                    found[figures.pop("mark")] = figures
    return found


def _lines(file: Path) -> Iterator[bytes]:
    if file.is_file():
        with file.open("rb") as opened:
            yield from opened
