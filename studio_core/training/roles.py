"""Models and datasets of a training beside the one that learns and the one that is learnt from, by their roles."""

from __future__ import annotations

from pathlib import Path

from studio_core import rewards
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Model
from studio_core.data import parquet, store, versions
from studio_core.methods.base import Method
from studio_core.methods.roles import Role, missing, other_tokens
from studio_core.methods.rollouts import rewards_of
from studio_core.models import registry
from studio_core.runs.spec import DataRole
from studio_core.training.datasets import misfit
from studio_core.training.plans import Plan, Remark, tried


def add(studio: Studio, plan: Plan, method: Method) -> None:
    """Resolve what the spec names by role; what the method does not take, or lacks, is a problem of the plan."""
    spec, taken = plan.spec, method.named_roles
    known = ", ".join(taken) or "-"
    for name in spec.models.keys() - taken.keys():
        values = {"role": name, "model": spec.models[name], "method": method.name, "known": known}
        plan.problems.append(BadInput("train.role_unknown", **values))
    for role in taken.values():
        if role.name in spec.models:
            _add_model(studio, plan, role)
        elif not role.optional:
            plan.problems.append(missing(role, method.name))
    for data_role in spec.data:
        _add_data(studio, plan, method, data_role)
    if "replay_share" in spec.options and "replay" not in spec.data:
        plan.warnings.append(Remark("train.nothing_replayed"))
    if method.rewards:
        _check_rewards(studio, plan)
    elif spec.rewards:
        names = ", ".join(reward.name for reward in spec.rewards)
        plan.problems.append(BadInput("train.rewards_unused", rewards=names, method=method.name))


def _check_rewards(studio: Studio, plan: Plan) -> None:
    """Each reward must be there, take its options, and find what it looks into."""
    for choice in rewards_of(plan.spec):
        reward = tried(plan, lambda choice=choice: rewards.named(choice.name))  # type: ignore[misc]
        options = reward and tried(plan, lambda: reward.checked(choice.options))  # noqa: B023
        if not reward or options is None or plan.dataset is None:
            continue
        wanted, dataset = reward.columns(options), plan.dataset
        if wanted and not {*wanted} & {*columns_of(studio, dataset)}:
            values = {"reward": reward.name, "dataset": dataset.name, "columns": ", ".join(wanted)}
            plan.problems.append(BadInput("train.reward_without_reference", **values))


def columns_of(studio: Studio, dataset: Dataset) -> list[str]:
    return parquet.columns(Path(versions.resolve_dataset(studio, dataset).path))


def _add_model(studio: Studio, plan: Plan, role: Role) -> None:
    name, scoring = plan.spec.models[role.name], role.output == "score"

    def found() -> Model:
        model = registry.get(studio, name)
        if not scoring and registry.scores(model):
            raise BadInput("models.scores_only", model=name)
        return model

    model = tried(plan, found)
    resolved = model and tried(plan, lambda: registry.resolve_row(studio, model, scoring=scoring))
    if model and resolved:
        plan.models[role.name], plan.resolved_models[role.name] = model, resolved
        policy = plan.resolved
        if (
            role.same_tokens
            and policy
            and (problem := tried(plan, lambda: other_tokens(role, resolved, policy)))
        ):
            plan.problems.append(problem)


def _add_data(studio: Studio, plan: Plan, method: Method, role: DataRole) -> None:
    name = plan.spec.data[role]
    if role not in method.data:
        values = {
            "role": role,
            "dataset": name,
            "method": method.name,
            "known": ", ".join(method.data) or "-",
        }
        plan.problems.append(BadInput("train.data_role_unknown", **values))
        return
    dataset = tried(plan, lambda: store.get(studio, name))
    if dataset is None:
        return
    if problem := misfit(method, dataset):
        plan.problems.append(problem)
    elif role != "replay" and plan.dataset and dataset.shape != plan.dataset.shape:
        shapes = {"shape": dataset.shape, "wanted": plan.dataset.shape}
        plan.problems.append(BadInput("train.data_other_shape", role=role, dataset=name, **shapes))
    else:
        plan.data[role] = dataset
        if role == "held_out" and plan.spec.options.get("eval_share"):
            plan.warnings.append(Remark("train.held_out_instead", {"dataset": dataset.name}))
