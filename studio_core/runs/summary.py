"""A job as programs see it: the stable JSON of ``jobs list`` and ``jobs show``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Model
from studio_core.runs import metrics


def job_summary(studio: Studio, job: Job) -> dict[str, Any]:
    """State, progress, newest value of each metric, warnings, resulting model and folder of one job."""
    with studio.db.read() as session:
        model = session.scalar(select(Model.name).where(Model.job_id == job.id))
        resumed_by = list(session.scalars(select(Job.id).where(Job.resumes_id == job.id).order_by(Job.id)))
    return {
        "id": job.id,
        "kind": job.kind,
        "name": job.name,
        "method": job.method,
        "state": job.state,
        "cause": job.cause,
        "detail": job.detail,
        "phase": job.phase,
        "step": job.step,
        "total_steps": job.total_steps,
        "model": model,
        "dataset": job.spec.get("dataset"),
        "base_model": job.spec.get("model"),
        "resumes": job.resumes_id,
        "resumed_by": resumed_by,
        "after": job.after_id,
        "priority": job.priority,
        "peak_memory": job.peak_memory,
        "run_dir": job.run_dir,
        "warnings": [metrics.sentence(told) for told in metrics.warnings(studio, [job]).get(job.id, [])],
        "metrics": job.latest,
        "submitted_at": job.submitted_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }
