"""Put a training into the queue."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.data import versions
from studio_core.data.shapes import Shape
from studio_core.generation import services
from studio_core.methods.rollouts import services_of
from studio_core.models import registry
from studio_core.models.registry import free_name
from studio_core.runs import queue
from studio_core.runs.spec import RunSpec, TrainSpec
from studio_core.training.chains import run_number
from studio_core.training.lengths import sample
from studio_core.training.planning import plan
from studio_core.training.plans import Plan

FIXED_PROMPTS = 4
"""As many as fit one screen beside each other."""
_PROMPT_LIMIT = 500
"""Characters: longer ones would fill the screen before the answer begins."""


def submit(
    studio: Studio, spec: TrainSpec, key: str | None = None, sweep: dict[str, Any] | None = None
) -> Job:
    """Queue one training; raises the first thing that stands in its way.

    The same key twice gives the same job. The row keeps the spec with its names made
    exact (dataset version, name of the run), and the resolved ``RunSpec`` under ``run``; of a run of a sweep also
    what ``sweeps`` knows it by.
    """
    if key and (existing := _submitted(studio, key)):
        return existing
    plan_ = plan(studio, spec)
    if plan_.problems:
        raise plan_.problems[0]
    assert plan_.model and plan_.dataset
    if plan_.model.id is None:  # A folder or a checkpoint that is not listed yet.
        registry.find_or_add(studio, spec.model)
        plan_ = plan(studio, spec)
        assert plan_.model and plan_.dataset
    exact = spec.model_copy(
        update={
            "name": spec.name.strip() or free_name(studio, f"{spec.method}-{plan_.model.name}"),
            "model": spec.model if _is_to_come(plan_) else plan_.model.name,
            "dataset": f"{plan_.dataset.name}@{plan_.dataset.version}",
            "models": {role: model.name for role, model in plan_.models.items()},
            "data": {role: f"{dataset.name}@{dataset.version}" for role, dataset in plan_.data.items()},
        }
    )
    document = {**exact.model_dump(), "run": _resolved(studio, plan_, exact).model_dump()}
    if sweep is not None:
        document["sweep"] = sweep
    if plan_.memory is not None:
        document["estimate"] = {
            "memory": plan_.memory.total,
            "computed": plan_.memory.computed,
            "seconds": plan_.seconds,
            "lighter": plan_.lighter,
        }
    return queue.submit(
        studio,
        kind="train",
        name=exact.name,
        method=exact.method,
        spec=document,
        idempotency_key=key,
        after_id=plan_.after.id if plan_.after else None,
        priority=exact.priority,
    )


def _is_to_come(plan: Plan) -> bool:
    """Whether the base model is what another run has yet to make."""
    assert plan.model
    number = run_number(plan.spec.model)
    return number is not None and (plan.after is None or plan.model.job_id != plan.after.id)


def _submitted(studio: Studio, key: str) -> Job | None:
    with studio.db.read() as session:
        return session.scalar(select(Job).where(Job.idempotency_key == key))


def _resolved(studio: Studio, plan: Plan, spec: TrainSpec) -> RunSpec:
    assert plan.method and plan.resolved and plan.dataset and plan.options
    return RunSpec(
        spec=spec,
        model=plan.resolved,
        dataset=versions.resolve_dataset(studio, plan.dataset),
        models=plan.resolved_models,
        data={role: versions.resolve_dataset(studio, dataset) for role, dataset in plan.data.items()},
        options=plan.options.model_dump(),
        services=str(studio.settings.home / services.FILE) if services_of(spec) else "",
        prompts=(spec.prompts or prompts_from(studio, plan.dataset)) if plan.method.writes else [],
    )


def prompts_from(studio: Studio, dataset: Dataset, count: int = FIXED_PROMPTS) -> list[str]:
    """Different first questions, spread over the dataset; those without a system prompt come first."""
    asked: dict[str, bool] = {}
    # Enough records to hold different questions, and so few that a dataset of any size is asked at once.
    for record in sample(studio, dataset, 400):
        prompt, plain = _question(Shape(dataset.shape), record)
        if prompt and len(prompt) <= _PROMPT_LIMIT:
            asked.setdefault(prompt, plain)
    plain_ones = [prompt for prompt, plain in asked.items() if plain]
    candidates = plain_ones if len(plain_ones) >= count else list(asked)
    if len(candidates) <= count:
        return candidates
    return [candidates[(2 * place + 1) * len(candidates) // (2 * count)] for place in range(count)]


def _question(shape: Shape, record: dict[str, Any]) -> tuple[str, bool]:
    """The first thing that a record asks, and whether nothing but it comes before the answer."""
    if shape == Shape.TEXT:
        return " ".join(str(record["text"]).split()[:6]), True
    messages = record["messages" if shape == Shape.CHAT else "prompt"]
    first = next((m["content"] for m in messages if m["role"] == "user"), "")
    return str(first).strip(), bool(messages) and messages[0]["role"] == "user"
