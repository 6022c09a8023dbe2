"""The figures of a plan: what follows from the lengths of its rows, and whether there is room for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace

import psutil

from studio_core import tunings
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.data import tokenized
from studio_core.data.shapes import Shape
from studio_core.methods import memory
from studio_core.methods.common import ReplayOptions
from studio_core.methods.memory import Memory
from studio_core.methods.rollouts import RolloutOptions
from studio_core.models.size import ModelSize
from studio_core.training import estimate
from studio_core.training.lengths import NOTED, Lengths, measured, nothing_learnt, sample
from studio_core.training.plans import Plan, Remark, case_of, tried

MUCH_CUT = 0.05
"""One row in twenty: fewer are the few odd ones that every dataset has."""
MOSTLY_CUT = 0.5
"""Where most rows are cut, what the run teaches is not what the dataset says."""


def measure(studio: Studio, plan: Plan) -> None:
    """Steps and tokens from the lengths of the rows; memory and time from those."""
    assert plan.options and plan.dataset and plan.resolved and plan.model and plan.method
    options, dataset, resolved = plan.options, plan.dataset, plan.resolved
    lengths = tried(plan, lambda: measured(studio, dataset, resolved, options.learning()))
    plan.cut_share = lengths.share_above(options.max_length) if lengths else 0.0
    fitting = round((1 - plan.cut_share) * dataset.rows) if _drops_long(plan) else dataset.rows
    plan.rows = fitting - options.held_out(fitting)
    replay = _replay(studio, plan)
    plan.steps = options.total_steps(fitting, plan.spec.gpus, plan.replayed)
    if lengths is None:
        return
    plan.lengths = lengths
    plan.warnings += [Remark(f"data.rendering_{note}") for note in sorted(lengths.notes)]
    seen_rows = plan.steps * plan.effective_batch
    of_rows = plan.rows * lengths.mean_up_to(options.max_length)
    if replay:
        of_rows += plan.replayed * replay.mean_up_to(options.max_length)
    plan.tokens = round(seen_rows * of_rows / max(1, plan.rows + plan.replayed))
    longest = max(lengths.longest, replay.longest if replay else 0)
    if isinstance(options, RolloutOptions):  # The answers are still to be written.
        longest += options.max_new_tokens
    longest = min(longest, options.max_length)
    reach = int(plan.model.details.get("max_length") or 0)
    if reach and longest > reach:
        plan.problems.append(
            BadInput("train.beyond_reach", longest=longest, model=plan.model.name, reach=reach)
        )
    _say_end(plan)
    if _anything_left(studio, plan):
        _estimate(studio, plan, longest)


def _replay(studio: Studio, plan: Plan) -> Lengths | None:
    """How many rows are mixed in, and how long those are that they are drawn from."""
    assert plan.options and plan.resolved
    dataset, options, resolved = plan.data.get("replay"), plan.options, plan.resolved
    if dataset is None or not isinstance(options, ReplayOptions):
        return None
    plan.replayed = options.replayed(plan.rows)
    return tried(plan, lambda: measured(studio, dataset, resolved, options.learning()))


def _anything_left(studio: Studio, plan: Plan) -> bool:
    """Say what the length limit takes away; a plan of which nothing is left cannot start."""
    assert plan.options and plan.dataset and plan.resolved and plan.method and plan.lengths
    limit, share = plan.options.max_length, plan.cut_share
    if share > MUCH_CUT:
        cut = {"share": f"{share:.0%}", "limit": limit, "longest": plan.lengths.longest}
        key = "train.much_left_out" if _drops_long(plan) else "train.much_cut"
        plan.warnings.append(Remark(key, cut, grave=share > MOSTLY_CUT))
    if share and plan.dataset.shape == Shape.PREFERENCE:
        _say_alike(studio, plan)
    if share < 1 or plan.lengths.sampled:
        return True
    if not _drops_long(plan) and not nothing_learnt(
        studio, plan.dataset, plan.resolved, limit, plan.options.learning()
    ):
        return True
    plan.problems.append(BadInput("methods.nothing_to_learn", dataset=plan.dataset.name, limit=limit))
    return False


def _say_alike(studio: Studio, plan: Plan) -> None:
    """Pairs that differ beyond the length limit only are left out, as the run will say it."""
    assert plan.options and plan.dataset and plan.resolved
    pairs, limit = sample(studio, plan.dataset, NOTED), plan.options.max_length
    same = tokenized.count_alike(plan.resolved, pairs, limit, plan.options.learning())
    if same:
        share = same / len(pairs)
        values = {"n": same, "pairs": len(pairs), "limit": limit}
        plan.warnings.append(Remark("train.pairs_alike", values, grave=share > MOSTLY_CUT))


def _drops_long(plan: Plan) -> bool:
    """A reward model scores the end of an answer: what is cut there is of no use to it."""
    assert plan.method and plan.options
    return not plan.method.writes and plan.options.truncation == "end"


def _say_end(plan: Plan) -> None:
    """Which end is learnt; texts end with the tokenizer's own."""
    assert plan.dataset and plan.resolved and plan.method
    resolved = plan.resolved
    if plan.dataset.shape == Shape.TEXT or not plan.method.writes:
        return
    plan.end = tried(plan, lambda: tokenized.end_of_turn(resolved))
    if plan.end is not None and not plan.end.learnt:
        plan.warnings.append(Remark("train.no_end", {"model": resolved.name}, grave=True))


def _estimate(studio: Studio, plan: Plan, longest: int) -> None:
    """Memory and time, with a longest sequence of so many tokens."""
    assert plan.options and plan.resolved and plan.model and plan.method
    options, resolved = plan.options, plan.resolved
    size = ModelSize.of(resolved.parameters or plan.model.parameters, plan.model.details)
    method = plan.method
    others = {role: ModelSize.of(model.parameters, model.details) for role, model in plan.models.items()}
    models = memory.sizes_by_role(method, size, others, options)

    def needed(batch_size: int, tuning: str) -> Memory:
        computed = memory.of_run(
            models,
            options,
            tuning=tuning,
            batch_size=batch_size,
            longest=longest,
            device=plan.device,
            available=plan.memory_total,
            gpus=plan.spec.gpus,
            parallel=plan.spec.parallel,
        )
        used = estimate.learned_memory(
            studio, method=plan.spec.method, tuning=tuning, device=plan.device, parameters=size.parameters
        )
        return replace(computed, correction=used or 1.0)

    plan.memory = needed(options.batch_size, plan.spec.tuning)
    plan.lighter = _lighter(plan, options.batch_size, needed)
    work = estimate.flops_per_token(
        models,
        tuning=plan.spec.tuning,
        options=options,
        checkpointing=plan.memory.checkpointing,
    )
    learned = estimate.learned_speed(
        studio, method=plan.spec.method, device=plan.device, parameters=size.parameters
    )
    speed = learned or estimate.assumed_speed(plan.device, studio.settings.threads)
    speed *= plan.spec.gpus
    plan.learned = learned is not None
    plan.seconds = estimate.seconds(
        tokens=plan.tokens,
        updates=plan.steps * options.updates_of_step,
        flops=work,
        speed=speed,
        device=plan.device,
        learned=plan.learned,
    )
    plan.disk = estimate.disk(size, tuning=plan.spec.tuning, options=options, whole=not method.writes)


def _lighter(plan: Plan, batch_size: int, needed: Callable[[int, str], Memory]) -> dict[str, dict[str, int]]:
    """What would need less: half the batch, and ways of tuning that can do the same with less."""
    assert plan.method and plan.memory and plan.model
    case = case_of(plan, plan.model)
    ways: dict[str, dict[str, int]] = {}
    # Half a batch with twice the accumulation learns the same.
    half, now = batch_size // 2, plan.spec.tuning
    if half:
        ways["batch_size"] = {"before": batch_size, "after": half, "memory": needed(half, now).total}
    for name, tuning in plan.method.tunings.items():
        if not tuning.spares:
            continue
        amount = needed(batch_size, name)
        able = tuning.missing() is None and not tunings.problems(tuning, case)
        if name != now and able and amount.total < plan.memory.total:
            ways[name] = {"memory": amount.total}
    return ways


def check_space(studio: Studio, plan: Plan) -> None:
    free = shutil.disk_usage(studio.settings.home).free
    if plan.disk > free:
        problem = BadInput("train.no_disk", needed=_gb(plan.disk), free=_gb(free), path=studio.settings.home)
        plan.problems.append(problem)
    if plan.memory is None or not plan.memory_total:
        return
    amounts = {"needed": _gb(plan.memory.total), "total": _gb(plan.memory_total)}
    if plan.memory.total > plan.memory_total:
        kept = plan.options is not None and plan.options.activation_checkpointing == "off"
        key = f"train.no_memory_{plan.device}{'_kept' if kept else ''}"
        plan.problems.append(BadInput(key, **amounts))
    elif plan.device == "cpu" and plan.memory.total > (free_now := psutil.virtual_memory().available):
        plan.warnings.append(Remark("train.memory_tight", {**amounts, "free": _gb(free_now)}))


def _gb(amount: int) -> str:
    return f"{amount / 1e9:.1f} GB"
