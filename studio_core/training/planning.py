"""What a training would do, before it starts: steps, tokens, memory, time, and what stands in its way."""

from __future__ import annotations

from typing import Any, cast

import psutil

from studio_core import methods, tunings
from studio_core.base.errors import BadInput
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job, Model
from studio_core.data import store, versions
from studio_core.methods.base import Method, starting_values, validated
from studio_core.methods.common import TrainingOptions
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.spec import TrainSpec
from studio_core.training import figures, roles, several_gpus
from studio_core.training.chains import run_number
from studio_core.training.datasets import misfit
from studio_core.training.plans import Plan, Remark, case_of, tried
from studio_core.tunings.base import Tuning

FEW_ROWS = 50
"""A judgement: from fewer rows a model learns these by heart before it learns what they have in common."""


ODD_RATE = 10.0
"""Papers and presets of one method differ by a factor of three; ten times as much diverges, a tenth learns little."""


def plan(studio: Studio, spec: TrainSpec) -> Plan:
    """What this training would do. Nothing is raised: what stands in the way is in ``problems``."""
    # Step by step, each on what the ones before found: a form shows all that is known, also of half a wish.
    plan = Plan(spec=spec, device=device_for(studio, spec))
    method = plan.method = tried(plan, lambda: methods.named(spec.method))
    tuning = tried(plan, lambda: tunings.named(spec.tuning))
    model = plan.model = tried(plan, lambda: _named_model(studio, plan))
    plan.dataset = tried(plan, lambda: _named_dataset(studio, spec.dataset))
    if model:
        scoring = method is not None and not method.writes
        plan.resolved = tried(plan, lambda: registry.resolve_row(studio, model, scoring=scoring))
    if method and tuning and model:
        plan.options = tried(plan, lambda: options_of(spec, method, model.parameters))
    _check_name(plan)
    _check_order(studio, plan)
    _check_device(studio, plan)
    plan.problems += several_gpus.problems(spec, plan.device, queue.devices(studio), plan.options)
    if tuning:
        _check_tuning(plan, tuning)
    if method and tuning and model and plan.options:
        _check_rate(plan, starting_values(method, spec.preset, tuning, model.parameters))
    if model:
        _check_model(plan, model)
    if plan.dataset and plan.method:
        _check_dataset(studio, plan)
    if method:
        roles.add(studio, plan, method)
    if plan.ready and plan.options and plan.dataset and plan.resolved:
        figures.measure(studio, plan)
        figures.check_space(studio, plan)
        if method and method.rewards:
            roles.tell_requests(plan)
    return plan


def options_of(spec: TrainSpec, method: Method, parameters: int) -> TrainingOptions:
    """All options of a run: the preset for this model with the changes of the spec."""
    # A dataset to measure on takes the place of the share that would be held out.
    apart = {"eval_share": 0.0} if "held_out" in spec.data else {}
    return cast(
        TrainingOptions, validated(method, spec.preset, spec.tuning, parameters, {**spec.options, **apart})
    )


def device_for(studio: Studio, spec: TrainSpec) -> str:
    """Where the run will be carried out: on a GPU if there is one and none other was asked for."""
    if spec.device != "auto":
        return spec.device
    return "gpu" if any(device.kind == "gpu" for device in queue.devices(studio)) else "cpu"


def _named_model(studio: Studio, plan: Plan) -> Model:
    name = plan.spec.model.strip()
    if not name:
        raise BadInput("train.no_model")
    if (number := run_number(name)) is None:
        return registry.find_or_describe(studio, name)
    plan.after = queue.last_of_chain(studio, queue.get(studio, number))
    model = _made_by(studio, plan.after)
    if plan.method and plan.method.writes and not methods.writes(plan.after.method):
        raise BadInput("models.scores_only", model=name)
    return model


def base_of(studio: Studio, name: str) -> Model:
    """The model of that name; of ``run:N`` what that run made, or what it is being made from."""
    number = run_number(name)
    if number is None:
        return registry.find(studio, name)
    return _made_by(studio, queue.last_of_chain(studio, queue.get(studio, number)))


def scores(studio: Studio, name: str) -> bool:
    """Whether the model of that name, or what ``run:N`` is to make, scores answers instead of writing any."""
    number = run_number(name)
    if number is None:
        return registry.scores(registry.find(studio, name))
    return not methods.writes(queue.last_of_chain(studio, queue.get(studio, number)).method)


def _made_by(studio: Studio, job: Job) -> Model:
    """Until a run's result is there, its sizes and its tokenizer are those of its own base model."""
    if job.kind != "train":
        raise BadInput("train.not_a_training", job=job.id)
    return registry.result_of(studio, job.id) or registry.get(studio, job.spec["run"]["model"]["id"])


def _named_dataset(studio: Studio, name: str) -> Dataset:
    if not name.strip():
        raise BadInput("train.no_dataset")
    return store.get(studio, name)


def _check_name(plan: Plan) -> None:
    name = plan.spec.name
    if any(character in "/\\" or not character.isprintable() for character in name):
        plan.problems.append(BadInput("train.bad_name", name=name))


def _check_order(studio: Studio, plan: Plan) -> None:
    if plan.spec.after is not None and plan.after is None:
        asked = plan.spec.after
        plan.after = tried(plan, lambda: queue.last_of_chain(studio, queue.get(studio, asked)))
    elif plan.after is not None and plan.spec.after not in (None, run_number(plan.spec.model)):
        plan.problems.append(BadInput("train.two_orders", model=plan.spec.model, after=plan.spec.after))
    if plan.after is None:
        return
    if plan.after.kind != "train":
        plan.problems.append(BadInput("train.not_a_training", job=plan.after.id))
    elif plan.after.state in TERMINAL and plan.after.state != State.SUCCEEDED:
        state = plan.after.state
        plan.problems.append(BadInput("train.after_ended", run=plan.after.id, state=state))
    elif plan.after.state != State.SUCCEEDED:
        plan.warnings.append(Remark("train.starts_after", {"run": plan.after.id, "name": plan.after.name}))


def _check_device(studio: Studio, plan: Plan) -> None:
    gpus = [device for device in queue.devices(studio) if device.kind == "gpu"]
    if plan.device == "gpu":
        plan.memory_total = max((device.memory for device in gpus), default=0)
        if not gpus:
            plan.problems.append(BadInput("train.no_gpu"))
    else:
        plan.memory_total = psutil.virtual_memory().total


def _check_tuning(plan: Plan, tuning: Tuning) -> None:
    if problem := tuning.missing():
        plan.problems.append(problem)
    model, writes = plan.model, plan.method is None or plan.method.writes
    if model is None:
        return
    plan.problems += tunings.problems(tuning, case_of(plan, model))
    if model.parameters < tuning.least:
        values = {"model": model.name, "tuning": tuning.name}
        plan.warnings.append(Remark("train.tuning_teaches_little", values, grave=True))
    if model.kind == "adapter":
        what = "merged" if tuning.whole else "continued" if writes else "merged_to_score"
        plan.warnings.append(Remark(f"train.adapter_{what}", {"model": model.name}))


def _check_rate(plan: Plan, usual: dict[str, Any]) -> None:
    """A learning rate that is unusual for the method and the way of tuning."""
    assert plan.options
    rate, ours = plan.options.learning_rate, float(usual.get("learning_rate", plan.options.learning_rate))
    if rate > ours * ODD_RATE or rate < ours / ODD_RATE:
        key = "train.rate_high" if rate > ours else "train.rate_low"
        values = {
            "rate": f"{rate:g}",
            "usual": f"{ours:g}",
            "method": plan.spec.method,
            "tuning": plan.spec.tuning,
        }
        plan.warnings.append(Remark(key, values))


def _check_model(plan: Plan, model: Model) -> None:
    if plan.resolved and plan.resolved.chat_template:
        plan.warnings.append(Remark("train.standard_template", {"model": model.name}))
    if model.trust_remote_code and model.details.get("own_code"):
        plan.warnings.append(Remark("train.own_code", {"model": model.name}))


def _check_dataset(studio: Studio, plan: Plan) -> None:
    assert plan.dataset and plan.method
    dataset, options = plan.dataset, plan.options
    measured = "held_out" in plan.spec.data or (options and options.held_out(dataset.rows))
    if options and options.watched_suite and not plan.method.writes:
        plan.problems.append(
            BadInput("methods.early_stopping_scores", method=plan.method.name, suite=options.watched_suite)
        )
    elif options and options.early_stopping_patience and not measured and not options.watched_suite:
        patience = options.early_stopping_patience
        plan.problems.append(BadInput("methods.early_stopping_blind", patience=patience))
    if problem := misfit(plan.method, dataset):
        plan.problems.append(problem)
        return
    method = plan.method
    plan.problems += tried(plan, lambda: method.against(versions.resolve_dataset(studio, dataset))) or []
    if dataset.rows < FEW_ROWS:
        plan.warnings.append(Remark("train.few_rows", {"rows": dataset.rows}))
