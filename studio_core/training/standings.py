"""How the runs of a sweep stand: by one metric, at one step, with the spread over seeds; and stopping the losers."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from studio_core.base.errors import BadInput, Conflict
from studio_core.base.states import LIVE, TERMINAL, Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Metric
from studio_core.methods import METHODS
from studio_core.runs import queue
from studio_core.runs.metrics import RECENT

_LOWER = re.compile(r"loss|perplexity|kl\b|entropy|error|grad_norm|length|cut|clip|drift")
_NO_GOAL = frozenset(
    {"learning_rate", "epoch", "num_tokens", "seconds_left", "tokens_per_second", "grad_norm"}
)
"""What is set or counted, and nobody wants as high or as low as can be."""


@dataclass(frozen=True)
class Standing:
    """Runs with the same values that differ in their seeds."""

    values: dict[str, Any]
    jobs: list[Job]
    figures: dict[int, float] = field(default_factory=dict)
    """The mean of the last reports of each run that has any, by its number."""

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.figures.values()) if self.figures else None

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds (n - 1); None for one seed, of which nothing is known."""
        return statistics.stdev(self.figures.values()) if len(self.figures) > 1 else None


@dataclass(frozen=True)
class Table:
    """A sweep, the best first."""

    metric: str
    lower: bool
    """Whether a lower value is better."""
    metrics: list[str]
    """All that the runs can be ordered by."""
    step: int | None
    """While runs go on they are compared at this step, which all of these have come to; None: at their ends."""
    rows: list[Standing]
    """Those without a value last."""


def lower_is_better(metric: str) -> bool:
    """Losses, divergences and lengths are wanted low, all else high."""
    return _LOWER.search(metric) is not None


def table(studio: Studio, jobs: Sequence[Job], metric: str = "") -> Table:
    """How the runs stand; without a metric by the held-out loss or what the method is about. Raises ``BadInput``."""
    known = _known(jobs)
    if metric and metric not in known:
        raise BadInput("comparison.no_metric", metric=metric[:60], known=", ".join(known) or "–")
    metric = metric or usual(jobs)
    step = min((job.step for job in jobs if job.state in LIVE and job.step), default=None)
    rows: dict[str, Standing] = {}
    names = list(dict.fromkeys(name for job in jobs for name in job.spec["sweep"]["values"]))
    for job in jobs:
        values = {name: _value(job, name) for name in names}
        row = rows.setdefault(json.dumps(values, sort_keys=True, default=str), Standing(values, []))
        row.jobs.append(job)
        if (mean := figure(studio, job, metric, step)) is not None:
            row.figures[job.id] = mean
    lower = lower_is_better(metric)
    ordered = sorted(rows.values(), key=lambda row: _place(row, lower))
    return Table(metric, lower, known, step, ordered)


def _value(job: Job, name: str) -> Any:
    """What was tried; of what only a clone has changed, the run's own setting."""
    values, options = job.spec["sweep"]["values"], job.spec["run"]["options"]
    return values[name] if name in values else options.get(name, job.spec.get(name))


def _known(jobs: Sequence[Job]) -> list[str]:
    """The metrics that runs can be ordered by."""
    names = dict.fromkeys(name for job in jobs for name in job.latest)
    return [name for name in names if name not in _NO_GOAL]


def usual(jobs: Sequence[Job]) -> str:
    """The metric that runs are ordered by where none is named: the held-out loss, or what the method is about."""
    known = _known(jobs)
    headline = METHODS[jobs[0].method].headline if jobs[0].method in METHODS else ("loss",)
    return next((name for name in ("eval_loss", *headline) if name in known), headline[0])


def _place(row: Standing, lower: bool) -> tuple[bool, float]:
    mean = row.mean
    return (mean is None, 0.0 if mean is None else mean if lower else -mean)


def figure(studio: Studio, job: Job, metric: str, step: int | None = None) -> float | None:
    """The mean of the metric over the last reports that have it, up to the step."""
    query = select(Metric.values[metric].as_float()).where(
        Metric.job_id == job.id, Metric.values[metric].as_float().is_not(None)
    )
    if step is not None:
        query = query.where(Metric.step <= step)
    with studio.db.read() as session:
        values = session.scalars(query.order_by(Metric.seq.desc()).limit(RECENT)).all()
    return statistics.fmean(values) if values else None


def stop_losers(studio: Studio, jobs: Sequence[Job], keep: int, metric: str = "") -> list[Job]:
    """Stop all runs but those with the ``keep`` best values; what has no value yet is no loser and goes on.

    A run that goes on saves a checkpoint, so that it can be resumed; one that waits is cancelled. Returns those that
    were stopped; raises ``Conflict`` if there is none.
    """
    if keep < 1:
        raise BadInput("sweeps.keep_none")
    standing = table(studio, jobs, metric)
    losers = [
        job
        for row in standing.rows[keep:]
        if row.figures
        for job in row.jobs
        if job.state not in TERMINAL and job.stop_request is None
    ]
    if not losers:
        raise Conflict("sweeps.no_losers", keep=keep, metric=standing.metric)
    return [queue.request_stop(studio, job.id, Stop.SAVE) for job in losers]
