"""Models and datasets of a training beside the one that learns and the one that is learnt from, by their roles."""

from __future__ import annotations

import math
from pathlib import Path

from studio_core import rewards
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Model
from studio_core.data import parquet, store, versions
from studio_core.generation import services
from studio_core.methods.base import Method
from studio_core.methods.roles import Role, missing, other_tokens
from studio_core.methods.rollouts import JUDGE, REWARD_MODEL, RolloutOptions, rewards_of
from studio_core.models import registry
from studio_core.options.criteria import criteria_of
from studio_core.rewards.judge import JUDGE_RANKING
from studio_core.runs.spec import DataRole, RewardChoice, RoleName
from studio_core.training.datasets import misfit
from studio_core.training.plans import Plan, Remark, tried


def add(studio: Studio, plan: Plan, method: Method) -> None:
    """Resolve what the spec names by role; what the method does not take, or lacks, is a problem of the plan."""
    spec, taken = plan.spec, method.named_roles
    needed = method.needs(plan.options) if plan.options else ()
    known = ", ".join(taken) or "-"
    for name in spec.models.keys() - taken.keys():
        values = {"role": name, "model": spec.models[name], "method": method.name, "known": known}
        plan.problems.append(BadInput("train.role_unknown", **values))
    for role in taken.values():
        if role.name in spec.models:
            _add_model(studio, plan, role)
        elif not role.optional or role.name in needed:
            plan.problems.append(missing(role, method.name))
    for data_role in spec.data:
        _add_data(studio, plan, method, data_role)
    if "replay_share" in spec.options and "replay" not in spec.data:
        plan.warnings.append(Remark("train.nothing_replayed"))
    if method.rewards:
        _check_rewards(studio, plan, method)
    elif spec.rewards:
        names = ", ".join(reward.name for reward in spec.rewards)
        plan.problems.append(BadInput("train.rewards_unused", rewards=names, method=method.name))


def _check_rewards(studio: Studio, plan: Plan, method: Method) -> None:
    """Each reward must be there, take its options, and find what it looks into."""
    asked: set[RoleName | None] = set()
    for choice in rewards_of(plan.spec):
        reward = tried(plan, lambda choice=choice: rewards.named(choice.name))  # type: ignore[misc]
        options = reward and tried(plan, lambda: reward.checked(choice.options))  # noqa: B023
        if not reward or options is None:
            continue
        service = reward.service(options)
        asked.add(None if service else reward.role)
        if service:
            # It must be there; its key stays where it is.
            tried(plan, lambda: services.get(studio.settings.home / services.FILE, service))  # noqa: B023
        elif not reward.role:
            # Such as code of somebody's own, where it is not allowed.
            tried(plan, lambda: reward.score(options))  # noqa: B023
        elif reward.role == JUDGE.name and reward.role not in plan.spec.models:
            plan.problems.append(BadInput("train.no_judge", reward=reward.name))
        elif reward.role not in plan.spec.models:
            plan.problems.append(missing(method.named_roles[reward.role], f"{method.name} ({reward.name})"))
        if reward.compares and getattr(plan.options, "num_generations", 2) < 2:
            plan.problems.append(BadInput("train.nothing_to_rank", reward=reward.name))
        wanted, dataset = reward.columns(options), plan.dataset
        if wanted and dataset is not None and not {*wanted} & {*columns_of(studio, dataset)}:
            values = {"reward": reward.name, "dataset": dataset.name, "columns": ", ".join(wanted)}
            plan.problems.append(BadInput("train.reward_without_reference", **values))
    blind = all(choice.name == JUDGE_RANKING.name for choice in rewards_of(plan.spec))
    if blind and plan.options and plan.options.early_stopping_patience:
        plan.problems.append(BadInput("train.nothing_to_stop_by", reward=JUDGE_RANKING.name))
    for role in sorted(plan.spec.models.keys() & {REWARD_MODEL.name, JUDGE.name} - asked):
        plan.problems.append(BadInput(f"train.{role}_model_unused", model=plan.spec.models[role]))


def tell_requests(plan: Plan) -> None:
    """How many questions go to each service: they may cost money. The steps of the plan are known by now.

    A limit that not even one step keeps to is a problem, and one on several GPUs: each would count for itself.
    """
    for choice in plan.spec.rewards:
        reward = rewards.named(choice.name)
        if reward.role != JUDGE.name:
            continue
        step, limit = _asked_a_step(plan, choice), int(choice.options.get("max_calls", 0))
        values: dict[str, object] = {"reward": reward.name, "limit": limit}
        if limit and limit < step:
            plan.problems.append(BadInput("train.judge_limit_low", **values, step=step))
        if limit and plan.spec.gpus > 1:
            plan.problems.append(BadInput("train.judge_limit_gpus", **values, gpus=plan.spec.gpus))
        if service := rewards.service_of(choice):
            asked = min(plan.steps * step, limit or math.inf)
            told = {"requests": asked, "service": service, "reward": reward.name}
            plan.warnings.append(Remark("train.judge_requests", told))


def _asked_a_step(plan: Plan, choice: RewardChoice) -> int:
    """At most so many: what was asked before is known."""
    options = plan.options
    assert isinstance(options, RolloutOptions)
    if not rewards.named(choice.name).compares:
        return options.effective_batch * len(criteria_of(str(choice.options.get("criteria", ""))))
    groups = options.effective_batch // options.num_generations
    return 2 * groups if choice.options.get("both_orders", True) else groups


def columns_of(studio: Studio, dataset: Dataset) -> list[str]:
    return parquet.columns(Path(versions.resolve_dataset(studio, dataset).path))


def _add_model(studio: Studio, plan: Plan, role: Role) -> None:
    name, scoring = plan.spec.models[role.name], role.output == "score"

    def found() -> Model:
        model = registry.find(studio, name)
        if not scoring and registry.scores(model):
            raise BadInput("models.scores_only", model=name)
        if scoring and not registry.scores(model):
            architecture = str(model.details.get("architecture", "?"))
            raise BadInput("generation.not_a_reward_model", model=name, architecture=architecture)
        return model

    model = tried(plan, found)
    resolved = model and tried(plan, lambda: registry.resolve_row(studio, model, scoring=scoring))
    if model and resolved:
        plan.models[role.name], plan.resolved_models[role.name] = model, resolved
        policy = plan.resolved
        if role.compared and policy and (values := tried(plan, lambda: other_tokens(resolved, policy))):
            plan.warnings.append(Remark("train.role_other_tokens", values))


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
