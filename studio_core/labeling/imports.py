"""Items that exist already: pairs of an uploaded set, to be judged anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio_core.base.errors import BadInput, Conflict, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, LabelProject
from studio_core.data import parquet, versions
from studio_core.data.shapes import Message, Shape
from studio_core.labeling import items, projects
from studio_core.labeling.items import Added, Answer, NewItem


def project_for(studio: Studio, name: str, settings: dict[str, Any] | None = None) -> LabelProject:
    """The project of that name, made if it is not there."""
    try:
        return projects.get(studio, name)
    except NotFound:
        return projects.create(studio, name, settings=settings)


def from_dataset(studio: Studio, project: str | int, dataset: Dataset) -> Added:
    """The answers of a dataset as items: pairs for projects of pairs, single answers for ratings."""
    row = projects.get(studio, project)
    if row.round:
        raise Conflict("labeling.making_of_round", project=row.name)
    shape, mode = Shape(dataset.shape), row.mode
    fits = {"pairs": (Shape.PREFERENCE,), "rate": (Shape.PROMPT_COMPLETION, Shape.UNPAIRED_PREFERENCE)}
    if shape not in fits.get(mode, ()):
        raise BadInput("labeling.wrong_dataset", dataset=dataset.name, shape=shape, mode=mode)
    path = versions.parquet_path(studio, dataset)
    return items.add(studio, project, _items(path, shape, f"{dataset.name}@{dataset.version}"))


def _items(path: Path, shape: Shape, source: str) -> Iterator[NewItem]:
    names = ("chosen", "rejected") if shape is Shape.PREFERENCE else ("completion",)
    for record in parquet.read(path):
        answers = [Answer(_text_of(record[name]), f"{source}:{name}", "dataset") for name in names]
        yield NewItem(record["prompt"], answers)


def _text_of(turns: list[Message]) -> str:
    """An answer of several turns is judged as one text."""
    return "\n\n".join(turn["content"] for turn in turns)
