"""An export on the Hub, when a person asks for it: files and card in one commit, private unless told otherwise."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio_core.base.atomic import read_json
from studio_core.base.errors import BadInput, Conflict
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.data import hub_push, hub_upload
from studio_core.exports import results
from studio_core.exports.card import card
from studio_core.models import registry
from studio_core.models.registry import Ancestor
from studio_core.runs import queue
from studio_core.runs.run_folder import MANIFEST, PUSHED
from studio_core.runs.spec import ExportRun, PushRun


@dataclass(frozen=True)
class Pushed:
    repo: str
    url: str
    commit: str
    public: bool


def prepared(studio: Studio, number: int, repo: str, *, public: bool = False) -> PushRun:
    """What would be uploaded of an export to ``name/model``; raises what stands in the way here, not on the Hub."""
    repo = repo.strip()
    if not hub_push.names_repo(repo):
        raise BadInput("model_exports.repo_invalid", repo=repo[:200])
    return PushRun(repo=repo, public=public, **outline(studio, number))


def outline(studio: Studio, number: int) -> dict[str, Any]:
    """The same without its place: ``export``, ``title``, ``format``, ``message``, ``files`` and ``card``."""
    job, manifest = results.get(studio, number)
    # A model's own card tells of the original; this one is the export's.
    names = [name for name in [*manifest.files, MANIFEST] if name != hub_upload.CARD]
    run = ExportRun.model_validate(job.spec["run"])
    return {
        "export": number,
        "title": manifest.model,
        "format": manifest.format,
        "message": f"{manifest.model} as {manifest.format}",
        "files": {name: str(results.file_of(studio, number, name)) for name in names},
        "card": card(manifest, _lineage(studio, run)),
    }


def push(studio: Studio, number: int, repo: str, *, public: bool = False) -> Pushed:
    """Upload the files of an export now, into a repository that is made if it does not exist.

    Raises ``StudioError`` if there is no token, no right, or no connection.
    """
    run = prepared(studio, number, repo, public=public)
    with tempfile.TemporaryDirectory(dir=studio.settings.uploads) as folder:
        answer = hub_push.upload(hub_upload.of_model(run, Path(folder)))
    return Pushed(run.repo, answer["url"], answer["commit"], run.public)


def submit(studio: Studio, number: int, repo: str, *, public: bool = False, key: str | None = None) -> Job:
    """Queue the upload; raises what stands in its way here. The same key twice gives the same job."""
    run = prepared(studio, number, repo, public=public)
    return queue.submit(
        studio,
        kind="push",
        name=f"{run.title} → {run.repo}"[:80],
        method=run.format,
        spec={
            "model": run.title,
            "repo": run.repo,
            "public": public,
            "device": "cpu",
            "run": run.model_dump(),
        },
        idempotency_key=key,
        # So that it is not deleted meanwhile.
        after_id=number,
    )


def resume(studio: Studio, job_id: int, key: str | None = None) -> Job:
    """The same upload again, after one that ended early; what has arrived already is not sent twice."""
    job = queue.get(studio, job_id)
    if job.state not in TERMINAL:
        raise Conflict("train.resume_live", job=job_id)
    if job.state == State.SUCCEEDED:
        raise Conflict("model_exports.push_finished", job=job_id)
    return queue.submit_again(studio, job, job.spec, key)


def pushed(job: Job) -> Pushed | None:
    """Where the files are; None before they are there."""
    told: Mapping[str, Any] | None = read_json(Path(job.run_dir) / PUSHED) if job.run_dir else None
    if not told:
        return None
    return Pushed(job.spec["repo"], str(told["url"]), str(told["commit"]), bool(job.spec["public"]))


def _lineage(studio: Studio, run: ExportRun) -> list[Ancestor]:
    return registry.lineage(
        studio, registry.get(studio, run.model.id if run.model.id is not None else run.model.name)
    )
