"""Work on datasets as jobs: queued here, carried out by ``jobs.curation``, registered here when it is done."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from studio_core import curation
from studio_core.base import clock
from studio_core.base.errors import BadInput, Conflict
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, DatasetReport, Job
from studio_core.curation.base import Operation, model_keys, validated
from studio_core.data import uploads, versions
from studio_core.data.naming import checked_name
from studio_core.data.shapes import Shape
from studio_core.data.versions import Made
from studio_core.generation import services
from studio_core.models import registry
from studio_core.reports import judging
from studio_core.runs import queue
from studio_core.runs.spec import DataRun, DataSpec, ResolvedModel
from studio_core.suites import SUITES

REPORT = "report"
IMPORT = "import"
FETCH = "fetch"
WITHOUT_OPERATION = (REPORT, IMPORT, FETCH)
"""Jobs on data that make no version out of others; ``jobs.curation`` has a module for each."""


def submit(studio: Studio, spec: DataSpec, key: str | None = None) -> Job:
    """Queue one job on data; raises what stands in its way. The same key twice gives the same job."""
    operation = None if spec.operation in WITHOUT_OPERATION else curation.named(spec.operation)
    sources = [versions.get(studio, name) for name in spec.datasets]
    if operation is not None:
        check_taken(operation, sources)
    options = validated(operation, spec.options) if operation else None
    result = checked_name(spec.result) if spec.result.strip() else ""
    exact = spec.model_copy(
        update={
            "name": spec.name.strip() or _job_name(spec, sources, result),
            "datasets": [f"{dataset.name}@{dataset.version}" for dataset in sources],
            "result": result,
        }
    )
    values = options.model_dump(mode="json") if options else spec.options
    file = studio.settings.home / services.FILE
    for name in operation.services if operation else ():
        if values.get(name):
            services.get(file, values[name])  # It must be there; its key stays where it is.
    models = {
        key: _model_for(studio, option, name)
        for option in (operation.models if operation else ("model",))
        if values.get(option)
        for key, name in model_keys(option, values[option]).items()
    }
    needs_model = operation is not None and operation.needs_model(options)
    return enqueue(studio, exact, sources, options=values, models=models, needs_model=needs_model, key=key)


def enqueue(
    studio: Studio,
    spec: DataSpec,
    sources: Sequence[Dataset] = (),
    *,
    options: dict[str, Any],
    models: dict[str, ResolvedModel],
    needs_model: bool,
    key: str | None = None,
) -> Job:
    """Queue work whose options are checked and whose models are found."""
    run = DataRun(
        spec=spec,
        datasets=[versions.resolve_dataset(studio, dataset) for dataset in sources],
        options=options,
        models=models,
        services=str(studio.settings.home / services.FILE),
        answers=str(studio.settings.answers),
    )
    return queue.submit(
        studio,
        kind="data",
        name=spec.name,
        method=spec.operation,
        # What is light takes no device: it goes on beside a training.
        spec={**spec.model_dump(), "light": not needs_model, "run": run.model_dump()},
        idempotency_key=key,
        after_id=spec.after,
        priority=spec.priority,
    )


def check_taken(operation: Operation, sources: Sequence[Dataset]) -> None:
    """Raise what keeps the operation from taking these datasets."""
    if not sources or (len(sources) > 1 and not operation.several):
        raise BadInput("curation.wrong_number", operation=operation.name, given=len(sources))
    for dataset in sources:
        if Shape(dataset.shape) not in operation.shapes:
            raise BadInput(
                "curation.wrong_shape",
                operation=operation.name,
                dataset=f"{dataset.name}@{dataset.version}",
                shape=dataset.shape,
                shapes=", ".join(operation.shapes),
            )


def _model_for(studio: Studio, option: str, name: str) -> ResolvedModel:
    """The model that an option names; raises ``BadInput`` if it writes and is to score, or the other way round."""
    if option != "reward_model":
        return registry.resolve(studio, name)
    model = registry.find_or_add(studio, name)
    architecture = str(model.details.get("architecture", ""))
    if architecture and not registry.scores(model):
        raise BadInput("generation.not_a_reward_model", model=model.name, architecture=architecture)
    return registry.resolve_row(studio, model, scoring=True)


def _job_name(spec: DataSpec, sources: list[Dataset], result: str) -> str:
    # As much as the list of jobs shows in one line.
    return f"{spec.operation} {result or (sources[0].name if sources else '')}".strip()[:80]


def resume(studio: Studio, job_id: int, key: str | None = None) -> Job:
    """The same work again, from where a job that ended early left off."""
    job = queue.get(studio, job_id)
    if job.kind != "data":
        raise BadInput("curation.not_data", job=job_id)
    if job.state not in TERMINAL:
        raise Conflict("train.resume_live", job=job_id)
    if job.state == State.SUCCEEDED and job.cause is None:
        raise Conflict("curation.resume_finished", job=job_id)
    spec = {**job.spec, "run": {**job.spec["run"], "resumed": job.run_dir}}
    return queue.submit_again(studio, job, spec, key)


def register_result(studio: Studio, job: Job, result: dict[str, Any]) -> list[Dataset]:
    """What a job on data made becomes versions and reports; called again for the same job it changes nothing.

    ``result`` is the ``result`` event of the job: ``outputs``, ``report``, ``side_files``, ``counts``.
    """
    run = DataRun.model_validate(job.spec["run"])
    # The engine may have died between the version and the end of the job, and asks again.
    already = versions.of_job(studio, job.id)
    folder = Path(job.run_dir or "")
    results = already or [
        _registered(studio, job, run, folder, output, result) for output in result.get("outputs", [])
    ]
    # A report and its features are of one version, the first.
    for dataset in run.datasets[:1]:
        for name, what in result.get("side_files", {}).items():
            _keep_side_file(studio, _inside(folder, name), f"{dataset.sha256}.{what}")
        if "report" in result:
            _keep_report(studio, job, dataset.id, result["report"])
    if run.spec.operation == IMPORT:
        _imported(studio, run, results)
    return results


def _imported(studio: Studio, run: DataRun, results: list[Dataset]) -> None:
    """What was uploaded is stored now; what is to be said of it is found out next."""
    for id in run.options.get("uploads", []):
        uploads.discard(studio.settings, id)
    for dataset in results:
        ask_report(studio, dataset)


def _registered(
    studio: Studio, job: Job, run: DataRun, folder: Path, output: dict[str, Any], result: dict[str, Any]
) -> Dataset:
    partial = _inside(folder, output["file"])
    first = run.datasets[0].name if run.datasets else ""
    described = Made(
        name=checked_name((output.get("name") or run.spec.result or first) + output["suffix"]),
        shape=Shape(output["shape"]),
        rows=output["rows"],
        sha256=output["sha256"],
        source=output.get("source")
        or ", ".join(f"{source.name}@{source.version}" for source in run.datasets),
        mapping=output.get("mapping", {}),
        rejected=output.get("rejected", []),
        rejected_count=output.get("rejected_count", 0),
        operation=run.spec.operation,
        parents=[source.id for source in run.datasets],
        made={
            "options": run.options,
            "counts": result.get("counts", {}),
            "details": result.get("details", {}),
            "stopped": result.get("state") == "stopped",
        },
        job_id=job.id,
    )
    if not partial.is_file():  # Registered before an engine died: the row may lack, the file does not.
        final = studio.settings.datasets / f"{described.sha256}.parquet"
        if not final.is_file():
            raise BadInput("curation.result_gone", job=job.id, path=partial)
        partial = final
    return versions.add(studio, partial, described)[0]


def discard(job: Job) -> None:
    """Remove what a job on data had not completed when it ended: what it did complete is a version by now."""
    if job.run_dir:
        for partial in Path(job.run_dir).glob("output-*.parquet"):
            partial.unlink(missing_ok=True)


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise BadInput("curation.result_gone", job=folder.name, path=path)
    return path


def _keep_side_file(studio: Studio, partial: Path, name: str) -> None:
    if Path(name).name != name:
        raise BadInput("curation.result_gone", job=partial.parent.name, path=name)
    if partial.is_file():
        # One rename on one disk: nobody reads half of it.
        os.replace(partial, studio.settings.datasets / name)


def _keep_report(studio: Studio, job: Job, dataset_id: int, name: str) -> None:
    body = json.loads(_inside(Path(job.run_dir or ""), name).read_text(encoding="utf-8"))
    tokenizer = str(job.spec["run"]["options"].get("model", ""))
    row = {"body": body, "job_id": job.id, "created_at": clock.now()}
    with studio.db.write() as session:
        session.execute(
            insert(DatasetReport)
            .values(dataset_id=dataset_id, tokenizer=tokenizer, **row)
            .on_conflict_do_update(index_elements=["dataset_id", "tokenizer"], set_=row)
        )


def ask_report(
    studio: Studio, dataset: Dataset, model: str = "", limit: int = 0, others: Sequence[str] = ()
) -> Job | None:
    """Have the report on a version made, unless it is there or on its way; None if it is there.

    ``model`` names the tokenizer that counts, ``limit`` the length in tokens that is drawn in; ``others`` are
    datasets whose prompts should not be in this one. It is compared with the studio's own suites and every file in
    the folder of suites.
    """
    options = {"model": model, "limit": limit, "suites": _suites(studio)}
    named = [
        f"{version.name}@{version.version}"
        for version in (dataset, *(versions.get(studio, name) for name in others))
    ]
    report = judging.report_of(studio, dataset.id, model)
    if report is not None and report.job_id is not None:
        spec = queue.get(studio, report.job_id).spec
        if (spec["datasets"], spec["options"]) == (named, options):
            return None
    with studio.db.read() as session:
        waiting = session.scalars(
            select(Job).where(Job.kind == "data", Job.method == REPORT, Job.state.not_in(list(TERMINAL)))
        ).all()
    for job in waiting:
        if (job.spec["datasets"], job.spec["options"]) == (named, options):
            return job
    return submit(studio, DataSpec(operation=REPORT, datasets=named, options=options))


def _suites(studio: Studio) -> dict[str, str]:
    """Files of evaluations by name: the studio's own, and those of the folder of suites."""
    own = {name: str(suite.file(Path())) for name, suite in SUITES.items() if suite.source is None}
    folder = studio.settings.suites
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    # What begins with a dot is not a person's: editors and file managers leave such files.
    return own | {
        # By its full name where it would take the place of one of the studio's own.
        path.name if path.stem in own else path.stem: str(path.resolve())
        for path in files
        if path.is_file() and not path.name.startswith(".")
    }
