"""What evaluations reached: a row for each model and suite, and the file of its items in the job's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from studio_core.base import clock
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Evaluation, Job
from studio_core.runs.spec import EvalRun


def register(studio: Studio, job: Job, result: dict[str, Any]) -> None:
    """Keep what a job reached; called again for the same job it changes nothing.

    ``result`` is the ``result`` event of the job: its ``results`` are model, suite, questions, value, figures, file.
    """
    models = EvalRun.model_validate(job.spec["run"]).models
    for reached in result.get("results", []):
        if Path(reached["file"]).name != reached["file"]:
            raise BadInput("evaluation.items_gone", job=job.id, path=reached["file"])
        row = {
            **reached,
            "job_id": job.id,
            "model_id": models[reached["model"]].id,
            "created_at": clock.now(),
        }
        with studio.db.write() as session:
            session.execute(insert(Evaluation).values(**row).on_conflict_do_nothing())


def of_job(studio: Studio, job_id: int) -> Sequence[Evaluation]:
    """What one job reached, in its order."""
    with studio.db.read() as session:
        return session.scalars(
            select(Evaluation).where(Evaluation.job_id == job_id).order_by(Evaluation.id)
        ).all()


def newest(studio: Studio, models: Sequence[str] = (), suites: Sequence[str] = ()) -> Sequence[Evaluation]:
    """The newest of each model and suite with the same questions, oldest models first; empty: of all."""
    query = select(Evaluation).order_by(Evaluation.id)
    if models:
        query = query.where(Evaluation.model.in_(models))
    if suites:
        query = query.where(Evaluation.suite.in_(suites))
    with studio.db.read() as session:
        rows = session.scalars(query).all()
    return list({(row.model, row.suite, row.questions): row for row in rows}.values())


def file_of(studio: Studio, evaluation: Evaluation) -> Path:
    """The file of its items; raises ``NotFound`` if it is gone."""
    file = studio.settings.runs / str(evaluation.job_id) / evaluation.file
    if not file.is_file():
        raise NotFound("evaluation.items_gone", job=evaluation.job_id, path=file)
    return file
