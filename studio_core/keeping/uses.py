"""Jobs that name a model or a dataset: those at work need it, those that ended can hardly be repeated without it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String, cast, select
from sqlalchemy.orm import Session

from studio_core.base.states import TERMINAL
from studio_core.base.tables import Job
from studio_core.keeping.thing import Dependant


def dependants(session: Session, id: int, *, dataset: bool) -> list[Dependant]:
    """Jobs that are at work or wait, which block; and those that ended."""
    # A coarse look by SQL; a number may be that of something else.
    text = cast(Job.spec, String)
    jobs = session.scalars(select(Job).where(text.contains(f'"id": {id},') | text.contains(f'"id": {id}}}')))
    named = [job for job in jobs if _names(job.spec, id, dataset)]
    groups = {
        "active": [job for job in named if job.state not in TERMINAL],
        "runs": [job for job in named if job.state in TERMINAL],
    }
    return [
        Dependant(key, [label(job) for job in group], blocks=key == "active")
        for key, group in groups.items()
        if group
    ]


def label(job: Job) -> str:
    return f"{job.id} · {job.name}"


def _names(value: Any, id: int, dataset: bool) -> bool:
    """Whether a resolved model, or dataset, of that number stands anywhere in a document."""
    if isinstance(value, list):
        return any(_names(one, id, dataset) for one in value)
    if not isinstance(value, dict):
        return False
    # As ``spec.ResolvedModel`` and ``ResolvedDataset`` are written; only the second has a hash.
    if "path" in value and value.get("id") == id and ("sha256" in value) == dataset:
        return True
    return any(_names(one, id, dataset) for one in value.values())
