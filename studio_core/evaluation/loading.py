"""Reports of what is stored: of one evaluation, of models by name, of all that was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from studio_core.base.errors import NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Evaluation, Job
from studio_core.evaluation import browsing, contamination, items_file, results
from studio_core.evaluation.report import Reached, Report, Result, report
from studio_core.models.checkpoints import step_of
from studio_core.runs.spec import ResolvedDataset


def of_job(studio: Studio, job: Job, language: str) -> Report | None:
    """What one evaluation reached, its models and suites in the order that was asked for; None before there is any."""
    order = {name: place for place, name in enumerate(job.spec["models"])}
    reached = sorted(results.of_job(studio, job.id), key=lambda each: order.get(each.model, len(order)))
    return _report(results_of(studio, reached, language)) if reached else None


def of_models(studio: Studio, models: Sequence[str], suites: Sequence[str], language: str) -> Report:
    """The newest that these models reached on the same questions; raises ``NotFound`` if one has nothing.

    ``suites``: only these; none: all on which the first and another one were measured.
    """
    rows = results.newest(studio, models, suites)
    shared = _on_equal_questions(rows, models)
    for model in models:
        if not any(row.model == model for row in shared):
            raise NotFound("evaluation.never", model=model, suites=", ".join(suites) or "-")
    order = {name: place for place, name in enumerate(models)}
    return _report(results_of(studio, sorted(shared, key=lambda row: order[row.model]), language))


def _report(results: Sequence[Result]) -> Report:
    """With the steps of those that are checkpoints, which are drawn as lines."""
    names = dict.fromkeys(result.model for result in results)
    return report(results, {name: step for name in names if (step := step_of(name)) is not None})


def _on_equal_questions(rows: Sequence[Evaluation], models: Sequence[str]) -> list[Evaluation]:
    """Of each suite those rows whose questions most of the models were asked; of equally many the newest."""
    by_suite: dict[str, dict[str, list[Evaluation]]] = {}
    for row in rows:
        by_suite.setdefault(row.suite, {}).setdefault(row.questions, []).append(row)
    kept: list[Evaluation] = []
    for asked in by_suite.values():
        best = max(asked.values(), key=lambda group: (len(group), max(row.id for row in group)))
        if len(models) < 2 or len(best) > 1:
            kept += best
    return kept


def results_of(studio: Studio, rows: Sequence[Evaluation], language: str) -> list[Result]:
    # Once for each model: a report has many suites.
    lineages = {number: contamination.trained_on(studio, number) for number in {row.model_id for row in rows}}
    return [result(studio, row, language, lineages[row.model_id]) for row in rows]


def result(
    studio: Studio, row: Evaluation, language: str, trained_on: Mapping[str, ResolvedDataset]
) -> Result:
    """One row with its items, as a report takes it. ``trained_on``: the datasets that led to its model."""
    columns = items_file.columns(results.file_of(studio, row))
    standing = contamination.known(studio, row, trained_on)
    figures = row.figures
    # Of answers that were known already nobody knows how long they took.
    # So it is where a judge had to be waited for.
    measured = figures.get("asked") and not figures.get("cached") and "judged" not in figures
    return Result(
        model=row.model,
        suite=row.suite,
        items=columns.items,
        values=columns.values,
        title=browsing.title(row.suite, language),
        clusters=columns.clusters,
        tokens=columns.tokens,
        truncated=columns.truncated,
        readable=columns.readable,
        seconds=figures["seconds"] if measured else None,
        unit=figures.get("unit", "share"),
        higher_is_better=figures.get("higher_is_better", True),
        reached=reached_of(row),
        trained_on=None if standing is None else np.array([item in standing for item in columns.items], bool),
    )


def reached_of(row: Evaluation) -> Reached | None:
    """The first of a protocol's figures, which is the one to quote; None where no judge scored, or nothing was read."""
    judged = row.figures.get("judged")
    if not judged or not judged["figures"]:
        return None
    first = next(iter(judged["figures"].values()))
    return Reached(
        first["value"], first["low"], first["high"], first["level"], by_definition="judge" not in judged
    )
