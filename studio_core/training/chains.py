"""A run that trains what another run made: its name before there is one, and the model itself afterwards.

Apart from ``training``, since the engine needs this and not what plans a training.
"""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.methods import writes
from studio_core.models import registry
from studio_core.models.own_code import asking
from studio_core.runs import queue


def run_number(model: str) -> int | None:
    """12 of ``run:12``; None for every other model's name."""
    word, _, number = model.strip().partition(":")
    return (
        int(number) if word == "run" and number.isascii() and number.isdigit() and len(number) < 16 else None
    )


def settle(studio: Studio, job: Job) -> Job:
    """The job with its base model resolved, if that is what an earlier run was to make.

    Called when the job starts; raises BadInput if that run made no model, and if the job would run code of a
    model that is not allowed any more.
    """
    for named in asking(job.spec):
        if not registry.may_run_code(studio, named.get("id")):
            raise BadInput("models.code_withdrawn", model=named["name"])
    if run_number(job.spec.get("model", "")) is None:
        return job
    earlier = queue.predecessor(studio, job)
    model = registry.result_of(studio, earlier.id) if earlier else None
    if model is None:
        raise BadInput("train.no_result", model=job.spec["model"])
    resolved = registry.resolve(studio, model.id, scoring=not writes(job.method))
    run = {**job.spec["run"], "model": resolved.model_dump()}
    run["spec"] = {**run["spec"], "model": model.name}
    return queue.change_spec(studio, job, {**job.spec, "model": model.name, "run": run})
