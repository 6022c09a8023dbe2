"""What another trainer made of a run, taken back as a run of ours: a job that reads its reports and copies its weights.

The job is a training like any other, so that lists, charts, comparisons, cards and lineages know it; that it was done
elsewhere stands in its resolved spec (``RunSpec.elsewhere``), and it ends with that as its cause.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio_core import handover, methods
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.handover import weights
from studio_core.handover.base import Trainer
from studio_core.handover.writing import ABOUT
from studio_core.models.inspect import read_json
from studio_core.models.registry import free_name, local_folder
from studio_core.people.reach import reach
from studio_core.runs import queue
from studio_core.runs.spec import Elsewhere, RunSpec

_ABOUT_LIMIT = 16 << 20
"""Bytes of ``handover.json``; most of it is a chat template."""


def take_back(
    studio: Studio,
    source: str,
    run: int | None = None,
    trainer: str = "",
    name: str = "",
    key: str | None = None,
) -> Job:
    """Queue the taking back of a folder that was handed over and trained in. The same key twice gives the same job.

    Run and trainer stand in the folder's ``handover.json``; where it has none they must be named. Raises ``BadInput``
    that says what is missing, or whose folder it is.
    """
    folder = local_folder(source.strip(), reach(studio))
    about = read_json(folder / ABOUT, _ABOUT_LIMIT)
    number = run or about.get("run")
    if type(number) is not int or not (named := trainer or str(about.get("trainer") or "")):
        raise BadInput("handover.not_ours", folder=folder, file=ABOUT)
    by = handover.named(named)
    if about.get("trainer", by.name) != by.name:
        raise BadInput(
            "handover.another_trainer", folder=folder, theirs=str(about["trainer"])[:40], ours=by.name
        )
    job = _run_of(studio, number, about, folder)
    spec = RunSpec.model_validate(job.spec["run"])
    result = weights.place(folder, by.title, by.weights)
    weights.check((folder / result).resolve(), spec.model, methods.named(spec.spec.method).writes)
    there = Elsewhere(
        run=job.id, trainer=by.name, version=_version(about, by), folder=str(folder), weights=result
    )
    called = name.strip()[:80] or free_name(studio, f"{job.name}-{by.name}")
    resolved = spec.model_copy(
        update={
            "elsewhere": there,
            "resume_from": None,
            "spec": spec.spec.model_copy(update={"name": called}),
        }
    )
    asked = {field: value for field, value in job.spec.items() if field in type(spec.spec).model_fields}
    return queue.submit(
        studio,
        kind="train",
        name=called,
        method=job.method,
        # It computes nothing: no GPU is taken for it, and nothing learns from how long it took.
        spec={**asked, "name": called, "gpus": 1, "light": True, "run": resolved.model_dump()},
        idempotency_key=key,
    )


def elsewhere(job: Job) -> Elsewhere | None:
    """Who did the run, if another trainer did."""
    there = (job.spec.get("run") or {}).get("elsewhere") if job.kind == "train" else None
    return Elsewhere.model_validate(there) if there else None


def _run_of(studio: Studio, number: int, about: dict[str, Any], folder: Path) -> Job:
    """The run that was handed over; raises ``BadInput`` if what the folder says of it is true of another."""
    try:
        job = queue.get(studio, number)
    except NotFound as error:
        raise BadInput("handover.run_gone", run=number, folder=folder) from error
    if job.kind != "train":
        raise BadInput("handover.no_training", job=job.id, kind=job.kind)
    run = job.spec["run"]
    for field, ours in (("dataset_sha256", run["dataset"]["sha256"]), ("base", run["model"]["name"])):
        if field in about and about[field] != ours:
            values = {"theirs": str(about[field])[:64], "ours": ours}
            raise BadInput("handover.another_run", run=number, folder=folder, field=field, **values)
    return job


def _version(about: dict[str, Any], trainer: Trainer) -> str:
    version = about.get("version") if about.get("trainer") == trainer.name else None
    return version[:40] if isinstance(version, str) and version.isprintable() else trainer.version
