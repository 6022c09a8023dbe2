"""What an export left: its files and its manifest, in the folder of its run."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import ValidationError

from studio_core.base.atomic import partial_name, read_json
from studio_core.base.errors import NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.exports.manifest import Manifest
from studio_core.runs import queue
from studio_core.runs.run_folder import EXPORT, MANIFEST


def folder_of(job: Job) -> Path:
    return Path(job.run_dir or "") / EXPORT


def of_job(job: Job) -> Manifest | None:
    """None as long as there is no result, or it was removed."""
    if not job.run_dir:
        return None
    try:
        document = read_json(folder_of(job) / MANIFEST)
        return Manifest.model_validate(document) if document else None
    except (ValueError, ValidationError):
        # A program wrote it that ran a stranger's template: what is no manifest is none.
        return None


def get(studio: Studio, number: int) -> tuple[Job, Manifest]:
    """Raises ``NotFound`` if there is no such export, or nothing came of it yet."""
    job = queue.get(studio, number)
    manifest = of_job(job) if job.kind == "export" else None
    if manifest is None:
        raise NotFound("model_exports.no_result", job=number, state=job.state)
    return job, manifest


def file_of(studio: Studio, number: int, name: str) -> Path:
    """One of its files, or the manifest. Only names that the manifest has lead anywhere."""
    job, manifest = get(studio, number)
    if name != MANIFEST and name not in manifest.files:
        raise NotFound("model_exports.no_file", name=name[:80], known=", ".join(manifest.files))
    folder = folder_of(job).resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise NotFound("model_exports.gone", name=name[:80], job=number)
    return path


def discard(job: Job) -> None:
    """Remove what an export had not written to its end."""
    if job.run_dir:
        shutil.rmtree(partial_name(folder_of(job)), ignore_errors=True)
