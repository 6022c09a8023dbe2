"""Which questions of a suite a model was trained on: those that stand in a dataset of its lineage.

A question stands in a record as the report on a dataset sees it (``reports/overlap.py``): the record holds half of its
runs of 13 words, or asks just that where it is short. A system prompt is no part of the question. Every dataset of
every training counts, from the model down to the base that was brought in, and those of the adapters that it was merged
from. What a base was trained on before is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studio_core.base.studio import Studio
from studio_core.base.tables import Evaluation, Job, Model
from studio_core.evaluation import items_file, results, standing
from studio_core.models import checkpoints, registry
from studio_core.runs.spec import ResolvedDataset


@dataclass(frozen=True)
class Contamination:
    """What of one evaluation of one model stood in its training data."""

    items: frozenset[str]
    datasets: tuple[str, ...]
    """Those that were looked through: ``NAME@VERSION``."""
    gone: tuple[str, ...] = ()
    """Those whose files are no longer here: nothing is known of them."""


def of(studio: Studio, evaluation: Evaluation) -> Contamination:
    """Of one model and suite. Reads the datasets of the lineage whole where nobody has looked yet; raises ``NotFound``
    if the items are gone."""
    datasets = trained_on(studio, evaluation.model_id)
    answers = studio.settings.answers
    gone, items = [], set[str]()
    asked: dict[str, dict[str, str]] = {}
    for name, dataset in datasets.items():
        known = standing.known(answers, evaluation.questions, dataset)
        if known is None and not Path(dataset.path).is_file():
            gone.append(name)
            continue
        if known is None:
            rows = items_file.read(results.file_of(studio, evaluation))
            asked = asked or {evaluation.questions: standing.questions_of(rows)}
            standing.look(answers, asked, dataset)
            known = standing.known(answers, evaluation.questions, dataset)
        items |= known or frozenset()
    return Contamination(frozenset(items), tuple(datasets), tuple(gone))


def known(
    studio: Studio, evaluation: Evaluation, datasets: Mapping[str, ResolvedDataset]
) -> frozenset[str] | None:
    """The items that stood in ``datasets``, those that the model was trained on, without looking; None where one of
    them was not looked through, or there is none."""
    answers = studio.settings.answers
    found = [standing.known(answers, evaluation.questions, dataset) for dataset in datasets.values()]
    if not found or None in found:
        return None
    return frozenset().union(*(items for items in found if items))


def value_without(studio: Studio, evaluation: Evaluation, items: frozenset[str]) -> float | None:
    """The mean over all other items that have a value; None if none has."""
    columns = items_file.columns(results.file_of(studio, evaluation))
    others = np.array([item not in items for item in columns.items], bool)
    values = columns.values[others & np.isfinite(columns.values)]
    return float(values.mean()) if len(values) else None


def trained_on(studio: Studio, model_id: int | None) -> dict[str, ResolvedDataset]:
    """The datasets of all roles of all trainings in a model's lineage, by ``NAME@VERSION``."""
    datasets: dict[str, ResolvedDataset] = {}
    for job in _trainings(studio, model_id):
        run = job.spec.get("run", {})
        for document in filter(None, (run.get("dataset"), *run.get("data", {}).values())):
            dataset = ResolvedDataset.model_validate(document)
            datasets[f"{dataset.name}@{dataset.version}"] = dataset
    return datasets


def _trainings(studio: Studio, model_id: int | None) -> Iterator[Job]:
    """The jobs that made a model, its ancestors, and the adapters that any of them was merged from."""
    ahead, met = [model_id], set[int]()
    with studio.db.read() as session:
        while ahead:
            model = session.get(Model, number) if (number := ahead.pop()) is not None else None
            if model is None or model.id in met:
                continue
            met.add(model.id)
            if (run := checkpoints.run_of(model)) is not None:
                yield session.get_one(Job, run)
            merged = model.details.get(registry.MERGE, {}).get("adapters", [])
            ahead += [model.parent_id, *(adapter["id"] for adapter in merged)]
