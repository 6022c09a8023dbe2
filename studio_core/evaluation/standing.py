"""Which questions stand in a dataset: looked for once, and kept by what is in both.

Workers import this: no database here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from studio_core.base.atomic import read_json, write_json
from studio_core.data.shapes import Shape
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.reports.batch import batches
from studio_core.reports.overlap import Index, Texts
from studio_core.runs.spec import ResolvedDataset

FOLDER = "training_data"
"""Within that of answers which are kept for all jobs."""
# Another one where the same question and record would be told otherwise.
_VERSION = 1


def questions_of(rows: Iterable[AnsweredItem]) -> dict[str, str]:
    """What is asked, by item: all that the user says. A system prompt is no part of the question."""
    return {
        row.item: "\n".join(turn["content"] for turn in row.prompt if turn["role"] == "user") for row in rows
    }


def known(answers: Path, questions: str, dataset: ResolvedDataset) -> frozenset[str] | None:
    """The items that stand in the dataset; None before anybody has looked. ``questions``: their identity."""
    kept = read_json(_file(answers, questions, dataset))
    return None if kept is None else frozenset(kept["items"])


def look(answers: Path, asked: Mapping[str, Mapping[str, str]], dataset: ResolvedDataset) -> None:
    """Look for all questions, by their identity, in one reading of the dataset, and keep what was found."""
    found = standing_in(asked, Path(dataset.path), Shape(dataset.shape))
    for questions, items in found.items():
        file = _file(answers, questions, dataset)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(file, {"items": sorted(items)})


def standing_in(
    asked: Mapping[str, Mapping[str, str]], file: Path, shape: Shape
) -> dict[str, frozenset[str]]:
    """Of each set of questions those, by item, that stand in a record of a dataset's Parquet file."""
    names = [[*questions] for questions in asked.values()]
    sets = [Texts(name, enumerate(texts.values()), questions=True) for name, texts in asked.items()]
    index = Index(sets)
    items: list[set[str]] = [set() for _ in names]
    for batch in batches(file, shape):
        for _, text, _ in index.hits(batch):
            which, place = index.items[text]
            items[which].add(names[which][place])
    return dict(zip(asked, map(frozenset, items), strict=True))


def _file(answers: Path, questions: str, dataset: ResolvedDataset) -> Path:
    held = json.dumps([_VERSION, questions, dataset.sha256, dataset.shape])
    return answers / FOLDER / f"{hashlib.sha256(held.encode()).hexdigest()[:32]}.json"
