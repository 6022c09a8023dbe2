"""Pairs that a labelling project wants judged in advance, as the file of such a job has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio_core.data.shapes import Message


@dataclass(frozen=True)
class Pair:
    row: int
    item: int
    prompt: list[Message]
    answers: list[str]


def read(file: Path) -> Iterator[Pair]:
    with open(file, encoding="utf-8") as lines:
        for row, line in enumerate(lines, start=1):
            document = json.loads(line)
            yield Pair(row, document["item"], document["prompt"], document["answers"])
