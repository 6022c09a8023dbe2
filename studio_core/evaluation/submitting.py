"""An evaluation becomes a job: names are found, files are there, and the same questions are asked of all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from studio_core.base.errors import BadInput, Conflict
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.data import versions
from studio_core.evaluation import checkpoints, contamination, judges, test_set
from studio_core.evaluation.questions import suite_of
from studio_core.generation import services
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.spec import EvalRun, EvalSpec, ResolvedModel, ResolvedSuite, SuiteChoice
from studio_core.suites import lm_eval, suite_in, suites_in
from studio_core.suites.benchmarks.base import Benchmark

_NAMED = 2
"""Suites, and models, that a job is called by."""


def submit(studio: Studio, spec: EvalSpec, key: str | None = None) -> Job:
    """Queue one evaluation; raises what stands in its way. The same key twice gives the same job."""
    run = resolved(studio, spec)
    return queue.submit(
        studio,
        kind="evaluate",
        name=run.spec.name,
        spec={**run.spec.model_dump(), "run": run.model_dump()},
        idempotency_key=key,
        after_id=spec.after,
        priority=spec.priority,
    )


def resolved(studio: Studio, spec: EvalSpec) -> EvalRun:
    """What would be carried out; raises what stands in its way."""
    models = [checkpoints.resolve(studio, name) for name in spec.models]
    _require_once([model.name for model in models], "evaluation.model_twice")
    suites = [_resolved(studio, choice) for choice in spec.suites]
    asked = {suite.choice.name: suite_of(suite.choice) for suite in suites if not suite.path}
    if asked and spec.seconds is not None:
        name, suite = next(iter(asked.items()))
        raise BadInput(f"evaluation.{suite.scored_by}_seconds", suite=name)
    benchmarks = {name: suite.benchmark for name, suite in asked.items() if suite.benchmark}
    endless = next((name for name, benchmark in benchmarks.items() if not benchmark.limit), "")
    if endless and spec.limit is not None:
        raise BadInput("evaluation.benchmark_limit", suite=endless)
    _require_once([suite.choice.title for suite in suites], "evaluation.suite_twice")
    judge = judges.judge_of(studio, spec, suites)
    suites = [judges.told_apart(suite, judge, models[0]) for suite in suites]
    exact = spec.model_copy(
        update={
            "models": [model.name for model in models],
            "suites": [suite.choice for suite in suites],
            "name": spec.name.strip() or _job_name(suites, [model.name for model in models]),
        }
    )
    return EvalRun(
        spec=exact,
        models={model.name: model for model in models},
        suites=suites,
        judge=judge if isinstance(judge, ResolvedModel) else None,
        services=str(studio.settings.home / services.FILE),
        answers=str(studio.settings.answers),
        trained_on={model.name: contamination.trained_on(studio, model.id) for model in models},
        lm_eval_python=str(_harness(studio) or ""),
        # A folder of its own: files beside those of suites are read as questions.
        lm_eval_tasks=str(studio.settings.suites / "lm_eval"),
        programs={each.program: studio.settings.programs[each.program] for each in benchmarks.values()},
    )


def _require_once(names: list[str], key: str) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise BadInput(key, name=twice)


def _resolved(studio: Studio, choice: SuiteChoice) -> ResolvedSuite:
    if bool(choice.name) == bool(choice.dataset):
        raise BadInput("evaluation.suite_or_dataset", suite=choice.name or "-", dataset=choice.dataset or "-")
    if choice.dataset:
        dataset = versions.get(studio, choice.dataset)
        test_set.check(choice)
        suite_of(choice)
        found = versions.resolve_dataset(studio, dataset)
        exact = choice.model_copy(update={"dataset": f"{dataset.name}@{dataset.version}"})
        scorer = _reward_model(studio, choice.reward_model) if choice.reward_model else None
        # Scores of two models are no more comparable than answers to two suites.
        sha256 = (
            hashlib.sha256(f"{found.sha256} {scorer.path} {scorer.adapter}".encode()).hexdigest()
            if scorer
            else ""
        )
        return ResolvedSuite(
            choice=exact, path=found.path, sha256=sha256 or found.sha256, dataset=found, reward_model=scorer
        )
    if choice.reward_model:
        raise BadInput("evaluation.reward_model_of_suite", model=choice.reward_model, suite=choice.name)
    suite = suite_in(studio.settings.suites, choice.name)
    if suite is None:
        known = ", ".join(suites_in(studio.settings.suites))
        raise BadInput("evaluation.no_suite", suite=choice.name[:40], known=known)
    if suite.scored_by == lm_eval.SCORED_BY:
        _require_harness(studio, choice.name)
        return ResolvedSuite(choice=choice, path="", sha256="")
    if suite.benchmark:
        suite_of(choice)
        _require_program(studio, choice.name, suite.benchmark)
        return ResolvedSuite(choice=choice, path="", sha256="")
    file = suite.file(studio.settings.suites)
    if not file.is_file():
        raise BadInput("evaluation.suite_not_here", suite=choice.name)
    suite_of(choice)  # What cannot be drawn so is said now and not by the worker.
    return ResolvedSuite(
        choice=choice, path=str(file.resolve()), sha256=hashlib.sha256(file.read_bytes()).hexdigest()
    )


def _require_harness(studio: Studio, suite: str) -> None:
    program = _harness(studio)
    if program is None:
        raise BadInput("evaluation.lm_eval_not_set", suite=suite)
    if not program.is_file() or not os.access(program, os.X_OK):
        raise BadInput("evaluation.lm_eval_missing", suite=suite, program=program)


def _require_program(studio: Studio, suite: str, benchmark: Benchmark) -> None:
    name = benchmark.program
    if name not in studio.settings.programs:
        given = {"install": benchmark.install, "setting": benchmark.setting}
        raise BadInput("evaluation.benchmark_not_set", suite=suite, program=name, **given)
    first = Path(studio.settings.programs[name][0])
    if not (first.is_absolute() and first.is_file() and os.access(first, os.X_OK)):
        raise BadInput("evaluation.benchmark_missing", suite=suite, name=name, program=first)


def _harness(studio: Studio) -> Path | None:
    """The Python of lm-evaluation-harness; a link stays one, since an environment is told by it."""
    named = studio.settings.lm_eval_python
    return Path(named).expanduser().absolute() if named else None


def _reward_model(studio: Studio, name: str) -> ResolvedModel:
    """Raises ``BadInput`` of a model that writes."""
    model = registry.find_or_add(studio, name)
    if not registry.scores(model):
        raise BadInput(
            "generation.not_a_reward_model",
            model=model.name,
            architecture=model.details.get("architecture", "-"),
        )
    return registry.resolve_row(studio, model, scoring=True)


def _job_name(suites: list[ResolvedSuite], models: list[str]) -> str:
    """``facts, sums +3: tiny-base, tiny-chat``: as much as the list of jobs shows in one line."""
    parts = []
    for names in ([suite.choice.title for suite in suites], models):
        more = f" +{len(names) - _NAMED}" if len(names) > _NAMED else ""
        parts.append(", ".join(names[:_NAMED]) + more)
    return ": ".join(parts)[:80]


def resume(studio: Studio, job_id: int, key: str | None = None) -> Job:
    """The same evaluation again, after one that ended early: what was answered is known and not asked again."""
    job = queue.get(studio, job_id)
    if job.state not in TERMINAL:
        raise Conflict("train.resume_live", job=job_id)
    if job.state == State.SUCCEEDED and job.cause is None:
        raise Conflict("evaluation.finished", job=job_id)
    return queue.submit_again(studio, job, job.spec, key)
