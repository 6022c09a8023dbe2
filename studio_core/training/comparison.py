"""Several trainings beside each other: their curves over one axis, their figures, and where they were set otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.methods import METHODS
from studio_core.runs import metrics, queue
from studio_core.runs.metrics import Recent
from studio_core.runs.outline import MOST, Lines, Point
from studio_core.runs.spec import TrainSpec
from studio_core.training import history

Axis = Literal["step", "tokens", "time", "epoch"]
AXES: tuple[Axis, ...] = get_args(Axis)

MOST_RUNS = 20
"""Lines that can still be told apart on one pair of axes."""
_LEAST_STRETCHES = 200
"""As fine as a line is drawn among twenty others: two points a stretch, on some 600 pixels."""
_MOMENTS = 100
"""Places at most at which the time of a long run is asked for: between two of them it went on evenly."""
_PROGRESS = {"tokens": "num_tokens", "epoch": "epoch"}


@dataclass(frozen=True)
class Curves:
    """What several runs reported, over one axis."""

    by: Axis
    lines: dict[str, dict[int, list[tuple[float, float | None]]]] = field(default_factory=dict)
    """By metric and run: values over steps, tokens, seconds of work, or epochs; None where it was no number."""
    without: list[int] = field(default_factory=list)
    """Runs that do not say how many tokens or epochs they had come to, and so have no line."""


@dataclass(frozen=True)
class Setting:
    """One entry of the runs' configurations, and what it is in each of them."""

    path: tuple[str, ...]
    """Its keys, the outermost first."""
    values: tuple[Any, ...]
    """In the order of the runs; None where it is not set."""

    @property
    def same(self) -> bool:
        return all(value == self.values[0] for value in self.values)


def runs_of(studio: Studio, ids: Sequence[int]) -> list[Job]:
    """The trainings of these numbers, in their order, each once; raises ``BadInput`` for too many or other jobs."""
    wanted = list(dict.fromkeys(ids))
    if len(wanted) > MOST_RUNS:
        raise BadInput("comparison.too_many", runs=len(wanted), most=MOST_RUNS)
    jobs = queue.get_all(studio, wanted)
    for job in jobs:
        if job.kind != "train":
            raise BadInput("train.not_a_training", job=job.id)
    return jobs


def axis(name: str) -> Axis:
    """The axis of that name; raises ``BadInput`` with those that there are."""
    for known in AXES:
        if name == known:
            return known
    raise BadInput("comparison.unknown_axis", by=name[:40], known=", ".join(AXES))


def curves(studio: Studio, jobs: Sequence[Job], by: Axis = "step") -> Curves:
    """All that the runs reported over one axis, thinned so that twenty long runs are read in a moment."""
    most = max(_LEAST_STRETCHES, MOST // max(1, len(jobs)))
    result = Curves(by)
    for job in jobs:
        lines = history.outlined(studio, job, most).lines
        places = _places(studio, job, lines, by)
        if places is not None and not places:
            result.without.append(job.id)
            continue
        for name, line in lines.items():
            if name not in _PROGRESS.values():
                result.lines.setdefault(name, {})[job.id] = _over(line, places)
    return result


def _places(studio: Studio, job: Job, lines: Lines, by: Axis) -> list[tuple[int, float]] | None:
    """How far the run was at which step, as the axis counts it; None for steps themselves."""
    if by == "step":
        return None
    if by == "time":
        return history.seconds_at(studio, job, _MOMENTS)
    return [(step, value) for step, value in lines.get(_PROGRESS[by], []) if value is not None]


def _over(
    line: Sequence[Point], places: Sequence[tuple[int, float]] | None
) -> list[tuple[float, float | None]]:
    """The line over another axis; between two places that are known it is taken to have gone on evenly."""
    if places is None:
        return [(step, value) for step, value in line]
    steps, amounts = zip(*places, strict=True)
    along = np.interp([step for step, _ in line], steps, amounts)
    return [(float(place), value) for place, (_, value) in zip(along, line, strict=True)]


def figures(studio: Studio, jobs: Sequence[Job]) -> dict[int, Recent]:
    """The mean of each metric over the last reports of each run that has any."""
    return metrics.recent(studio, jobs)


def headline(jobs: Sequence[Job]) -> list[str]:
    """The metrics that say most of runs of these methods, each once."""
    named = [METHODS[job.method].headline if job.method in METHODS else ("loss",) for job in jobs]
    return list(dict.fromkeys(name for names in named for name in names))


def configuration(job: Job) -> dict[str, Any]:
    """All that the run was asked to do and what that was resolved to, nested as it was asked for."""
    asked = {name: job.spec[name] for name in TrainSpec.model_fields if name in job.spec}
    for apart in ("kind", "name", "options", "prompts"):  # Prompts stand with their answers.
        asked.pop(apart, None)
    run = job.spec.get("run", {})
    return {**asked, "options": run.get("options", job.spec.get("options", {})), "resolved": job.resolved}


def settings(jobs: Sequence[Job]) -> list[Setting]:
    """Every entry of the runs' configurations, also where they agree; those of one group beside each other."""
    flat = [dict(_entries(configuration(job))) for job in jobs]
    paths = dict.fromkeys(path for entries in flat for path in entries)
    # Plain entries first, then groups in the order in which they were met.
    heads = dict.fromkeys(path[0] for path in paths if len(path) > 1)
    order = {head: place for place, head in enumerate(heads, 1)}
    ordered = sorted(paths, key=lambda path: order.get(path[0], 0) if len(path) > 1 else 0)
    return [Setting(path, tuple(entries.get(path) for entries in flat)) for path in ordered]


def _entries(document: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """The leaves of a document; lists of documents are entered, by number, and other lists are leaves."""
    if isinstance(document, list) and document and all(isinstance(one, dict) for one in document):
        document = {str(number): one for number, one in enumerate(document, 1)}
    if not isinstance(document, dict) or not document:
        # What is empty is as if it were not there: it differs from nothing.
        empty = isinstance(document, dict | list) and not document
        return [] if empty or not path else [(path, document)]
    return [entry for key, value in document.items() for entry in _entries(value, (*path, str(key)))]


def answers(studio: Studio, jobs: Sequence[Job]) -> list[tuple[str, dict[int, dict[str, Any]]]]:
    """Each fixed prompt with the newest answer of each run that has one: ``{run: {"when", "step", "answer"}}``."""
    rows: dict[str, dict[int, dict[str, Any]]] = {}
    for job in jobs:
        for row in history.answers(studio, job):
            if row["answers"]:
                rows.setdefault(row["prompt"], {})[job.id] = row["answers"][-1]
    return list(rows.items())
