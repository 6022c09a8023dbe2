"""Put a training into the queue."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job, Model
from studio_core.data import versions
from studio_core.data.shapes import Shape
from studio_core.models import registry
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


def submit(studio: Studio, spec: TrainSpec, key: str | None = None) -> Job:
    """Queue one training; raises the first thing that stands in its way.

    The same key twice gives the same job. The row keeps the spec with its names made
    exact (dataset version, name of the run), and the resolved ``RunSpec`` under ``run``.
    """
    if key and (existing := _submitted(studio, key)):
        return existing
    made = plan(studio, spec)
    if made.problems:
        raise made.problems[0]
    assert made.model and made.dataset
    if made.model.id is None:  # A folder that is not listed yet.
        registry.add(studio, spec.model)
        made = plan(studio, spec)
        assert made.model and made.dataset
    exact = spec.model_copy(
        update={
            "name": spec.name.strip() or free_name(studio, f"{spec.method}-{made.model.name}"),
            "model": spec.model if _is_to_come(made) else made.model.name,
            "dataset": f"{made.dataset.name}@{made.dataset.version}",
            "models": {role: model.name for role, model in made.models.items()},
            "data": {role: f"{dataset.name}@{dataset.version}" for role, dataset in made.data.items()},
        }
    )
    document = {**exact.model_dump(), "run": _resolved(studio, made, exact).model_dump()}
    if made.memory is not None:
        document["estimate"] = {
            "memory": made.memory.total,
            "computed": made.memory.computed,
            "seconds": made.seconds,
            "lighter": made.lighter,
        }
    return queue.submit(
        studio,
        kind="train",
        name=exact.name,
        method=exact.method,
        spec=document,
        idempotency_key=key,
        after_id=made.after.id if made.after else None,
        priority=exact.priority,
    )


def _is_to_come(made: Plan) -> bool:
    """Whether the base model is what another run has yet to make."""
    assert made.model
    number = run_number(made.spec.model)
    return number is not None and (made.after is None or made.model.job_id != made.after.id)


def _submitted(studio: Studio, key: str) -> Job | None:
    with studio.db.read() as session:
        return session.scalar(select(Job).where(Job.idempotency_key == key))


def _resolved(studio: Studio, made: Plan, spec: TrainSpec) -> RunSpec:
    assert made.method and made.resolved and made.dataset and made.options
    return RunSpec(
        spec=spec,
        model=made.resolved,
        dataset=versions.resolve_dataset(studio, made.dataset),
        models=made.resolved_models,
        data={role: versions.resolve_dataset(studio, dataset) for role, dataset in made.data.items()},
        options=made.options.model_dump(),
        prompts=(spec.prompts or prompts_from(studio, made.dataset)) if made.method.writes else [],
    )


def free_name(studio: Studio, stem: str) -> str:
    """``stem-1``, or the next number that no run and no model bears."""
    stem = stem[:70]
    with studio.db.read() as session:
        taken = {
            *session.scalars(select(Job.name).where(Job.name.startswith(stem))),
            *session.scalars(select(Model.name).where(Model.name.startswith(stem))),
        }
    return next(name for number in range(1, 10**6) if (name := f"{stem}-{number}") not in taken)


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
