"""Questions of a published suite from the Hub: a job fetches them, as for a dataset, then they are added as a file."""

from __future__ import annotations

from studio_core.base.errors import BadInput, Conflict
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.curation import adding as data
from studio_core.curation import making
from studio_core.runs import queue
from studio_core.suites import Source, Suite, adding


def fetch(studio: Studio, name: str) -> Job:
    """Have a worker fetch all records of the suite's dataset, of the subset and split that are measured on."""
    source = _source(name)
    return data.fetch(studio, source.hub, subset=source.config, split=source.split)


def _source(name: str) -> Source:
    source = adding.suite_named(name).source
    if source is None:
        raise BadInput("suites.own_questions", suite=name)
    if not source.hub:
        raise BadInput("suites.not_on_hub", suite=name)
    return source


def add_newest(studio: Studio, name: str) -> Suite:
    """Add what the newest fetch of the suite has brought. Raises ``Conflict`` if there is none, or it is not over."""
    source = _source(name)
    wanted = {"hub": source.hub, "subset": source.config, "split": source.split, "rows": None, "revision": ""}
    jobs = queue.all_jobs(studio, kind="data")
    job = next(
        (job for job in jobs if job.method == making.FETCH and job.spec["options"].items() >= wanted.items()),
        None,
    )
    if job is None:
        raise Conflict("suites.not_fetched", suite=name)
    if job.state not in TERMINAL:
        raise Conflict("suites.still_fetched", suite=name, job=job.id)
    return add_fetched(studio, name, job.id)


def add_fetched(studio: Studio, name: str, job: int) -> Suite:
    """Add what a job has fetched. Raises ``Conflict`` if it was stopped before the end: a part is not the suite."""
    location = data.located(studio, data.Brought(job=job))
    if location.origin["rows"] is not None:
        raise Conflict("suites.fetched_in_part", suite=name, job=job, rows=location.origin["rows"])
    [file] = location.paths
    return adding.add(studio, name, file)
