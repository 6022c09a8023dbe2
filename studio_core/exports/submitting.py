"""An export becomes a job: the model is found, its format takes it, and the questions of the comparison are there."""

from __future__ import annotations

import re
from typing import Any

from studio_core import exports
from studio_core.base.about import studio_version
from studio_core.base.errors import BadInput, Conflict, StudioError
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Model
from studio_core.data import versions
from studio_core.exports.base import Subject
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.spec import ExportRun, ExportSpec, ResolvedDataset
from studio_core.suites import suite_in, suites_in
from studio_core.suites.base import Suite

_UNFIT = re.compile(r"[^A-Za-z0-9.\-]+")


def submit(studio: Studio, spec: ExportSpec, key: str | None = None) -> Job:
    """Queue one export; raises what stands in its way. The same key twice gives the same job."""
    run = resolved(studio, spec)
    return queue.submit(
        studio,
        kind="export",
        name=run.spec.name,
        method=run.spec.format,
        spec={**run.spec.model_dump(), "run": run.model_dump()},
        idempotency_key=key,
        after_id=spec.after,
        priority=spec.priority,
    )


def resolved(studio: Studio, spec: ExportSpec) -> ExportRun:
    """What would be carried out; raises what stands in its way."""
    format = exports.named(spec.format)
    options = format.checked(spec.options)
    row = registry.find_or_add(studio, spec.model)
    model = registry.resolve_row(studio, row)
    if model.trust_remote_code:
        raise BadInput("model_exports.own_code", model=model.name)
    if problems := format.problems(Subject.of(model), options):
        raise problems[0]
    name = spec.name.strip() or f"{model.name} {format.name}"[:80]
    return ExportRun(
        spec=spec.model_copy(update={"name": name, "model": model.name}),
        model=model,
        options=options.model_dump(),
        prompts=prompts_of(studio, spec.suite, spec.prompts) if spec.prompts and format.answers_by else [],
        calibration=calibration_of(studio, format, options),
        file=file_name(model.name),
        made_by=row.job_id,
        studio=studio_version(),
    )


def calibration_of(studio: Studio, format: exports.Format, options: Any) -> ResolvedDataset | None:
    """The dataset that the options name; None of a format that has no use for one."""
    if "dataset" not in format.Options.model_fields:
        return None
    if not options.dataset:
        raise BadInput("model_exports.no_calibration", format=format.name)
    dataset = versions.get(studio, options.dataset)
    if not dataset.rows:
        raise BadInput("train.dataset_empty", dataset=dataset.name)
    return versions.resolve_dataset(studio, dataset)


def why_not(studio: Studio, model: Model, format: str) -> StudioError | None:
    """Why a format, with its own settings, cannot carry this model; None if it can."""
    chosen = exports.named(format)
    try:
        subject = Subject.of(registry.resolve_row(studio, model))
        return next(iter(chosen.problems(subject, chosen.Options())), None)
    except StudioError as problem:
        return problem


def prompts_of(studio: Studio, name: str, count: int) -> list[list[dict[str, Any]]]:
    """The first questions of a suite, as conversations; raises ``BadInput`` of one that is not asked and answered."""
    suite = suite_in(studio.settings.suites, name)
    if suite is None or not _asks(suite):
        raise BadInput("model_exports.no_suite", suite=name[:40], known=", ".join(suites_that_ask(studio)))
    file = suite.file(studio.settings.suites)
    if not file.is_file():
        raise BadInput("evaluation.suite_not_here", suite=name)
    try:
        items = suite.read(file)[:count]
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise BadInput("evaluation.not_the_shape", suite=name, path=file, reason=reason) from error
    return [[dict(message) for message in item.messages] for item in items]


def suites_that_ask(studio: Studio) -> list[str]:
    """Those whose questions are here and are answered in words."""
    folder = studio.settings.suites
    return [name for name, each in suites_in(folder).items() if _asks(each) and each.file(folder).is_file()]


def _asks(suite: Suite) -> bool:
    return suite.scored_by in ("answer", "judge")


def file_name(model: str) -> str:
    """A name of a file that is one everywhere, whatever the model is called."""
    return _UNFIT.sub("-", model).strip("-.")[:60] or "model"


def resume(studio: Studio, job_id: int, key: str | None = None) -> Job:
    """The same export again, from its beginning, after one that ended without a result."""
    job = queue.get(studio, job_id)
    if job.state not in TERMINAL:
        raise Conflict("train.resume_live", job=job_id)
    if job.state == State.SUCCEEDED:
        raise Conflict("model_exports.finished", job=job_id)
    return queue.submit_again(studio, job, job.spec, key)
