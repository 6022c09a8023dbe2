"""``estimate``: what ``train`` with the same options would do and need, without a job."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from app.cli.output import opened, print_fields, print_json, print_rows, sentence_of
from app.cli.train import spec_from, train
from studio_core import training
from studio_core.data import store
from studio_core.models import registry
from studio_core.training import Plan

_MEGABYTE = 1_000_000


def estimate(**given: Any) -> int:
    """Say what train with these options would need: steps, memory by role, time, and what stands in its way."""
    with opened(given["home"]) as studio:
        registry.ensure_demo_models(studio)
        store.ensure_samples(studio)
        plan = training.plan(studio, spec_from(given))
    if given["as_json"]:
        print_json(document(plan))
    else:
        _print(plan)
    return 0 if plan.ready else 2


# Typer reads a command from its signature: the options are those of ``train``, told once.
_TRAIN = inspect.signature(train, eval_str=True)
_OPTIONS = [option for name, option in _TRAIN.parameters.items() if name != "wait"]
estimate.__signature__ = _TRAIN.replace(parameters=_OPTIONS)  # type: ignore[attr-defined]
estimate.__annotations__ = {option.name: option.annotation for option in _OPTIONS}


def document(plan: Plan) -> dict[str, Any]:
    """A plan as other programs read it; what could not be found out is null."""
    memory = plan.memory
    return {
        "ready": plan.ready,
        "problems": [sentence_of(problem) for problem in plan.problems],
        "warnings": [warning.sentence() for warning in plan.warnings],
        "device": plan.device,
        "rows": plan.rows,
        "steps": plan.steps,
        "tokens": plan.tokens,
        "seconds": plan.seconds,
        "seconds_learned": plan.learned,
        "memory": memory.total if memory else None,
        "memory_of_machine": plan.memory_total or None,
        "memory_by_part": memory.parts if memory else None,
        "memory_by_role": {role: vars(share) for role, share in memory.roles.items()} if memory else None,
        "activation_checkpointing": memory.checkpointing if memory else None,
        "disk": plan.disk,
    }


def _print(plan: Plan) -> None:
    shown = document(plan)
    for problem in shown["problems"]:
        print(problem, file=sys.stderr)
    for warning in shown["warnings"]:
        print(warning)
    if plan.memory is None:
        return
    names = ("device", "rows", "steps", "tokens", "seconds")
    amounts = {name: f"{shown[name] / _MEGABYTE:.0f} MB" for name in ("memory", "disk")}
    print_fields({**{name: shown[name] for name in names}, **amounts})
    print()
    rows = [
        {"role": role, **{part: f"{amount / _MEGABYTE:.0f}" for part, amount in vars(share).items()}}
        for role, share in plan.memory.roles.items()
    ]
    rows.append({"role": "libraries", "weights": f"{plan.memory.runtime / _MEGABYTE:.0f}"})
    print_rows(rows, ["role", "weights", "gradients", "optimiser", "activations", "logits"])
