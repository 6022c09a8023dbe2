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
from studio_core.models.size import ModelSize
from studio_core.training import estimate
from studio_core.training.lengths import NOTED, Lengths, measured, nothing_learnt, sample
from studio_core.training.plans import Plan, Remark, case_of, tried

MUCH_CUT = 0.05
"""One row in twenty: fewer are the few odd ones that every dataset has."""
MOSTLY_CUT = 0.5
"""Where most rows are cut, what the run teaches is not what the dataset says."""


def measure(studio: Studio, made: Plan) -> None:
    """Steps and tokens from the lengths of the rows; memory and time from those."""
    assert made.options and made.dataset and made.resolved and made.model and made.method
    options, dataset, resolved = made.options, made.dataset, made.resolved
    lengths = tried(made, lambda: measured(studio, dataset, resolved, options.learning()))
    made.cut_share = lengths.share_above(options.max_length) if lengths else 0.0
    fitting = round((1 - made.cut_share) * dataset.rows) if _drops_long(made) else dataset.rows
    made.rows = fitting - options.held_out(fitting)
    replay = _replay(studio, made)
    made.steps = options.total_steps(fitting, made.spec.gpus, made.replayed)
    if lengths is None:
        return
    made.lengths = lengths
    made.warnings += [Remark(f"data.rendering_{note}") for note in sorted(lengths.notes)]
    seen_rows = made.steps * made.effective_batch
    of_rows = made.rows * lengths.mean_up_to(options.max_length)
    if replay:
        of_rows += made.replayed * replay.mean_up_to(options.max_length)
    made.tokens = round(seen_rows * of_rows / max(1, made.rows + made.replayed))
    longest = min(max(lengths.longest, replay.longest if replay else 0), options.max_length)
    reach = int(made.model.details.get("max_length") or 0)
    if reach and longest > reach:
        made.problems.append(
            BadInput("train.beyond_reach", longest=longest, model=made.model.name, reach=reach)
        )
    _say_end(made)
    if _anything_left(studio, made):
        _estimate(studio, made, longest)


def _replay(studio: Studio, made: Plan) -> Lengths | None:
    """How many rows are mixed in, and how long those are that they are drawn from."""
    assert made.options and made.resolved
    dataset, options, resolved = made.data.get("replay"), made.options, made.resolved
    if dataset is None or not isinstance(options, ReplayOptions):
        return None
    made.replayed = options.replayed(made.rows)
    return tried(made, lambda: measured(studio, dataset, resolved, options.learning()))


def _anything_left(studio: Studio, made: Plan) -> bool:
    """Say what the length limit takes away; a plan of which nothing is left cannot start."""
    assert made.options and made.dataset and made.resolved and made.method and made.lengths
    limit, share = made.options.max_length, made.cut_share
    if share > MUCH_CUT:
        cut = {"share": f"{share:.0%}", "limit": limit, "longest": made.lengths.longest}
        key = "train.much_left_out" if _drops_long(made) else "train.much_cut"
        made.warnings.append(Remark(key, cut, grave=share > MOSTLY_CUT))
    if share and made.dataset.shape == Shape.PREFERENCE:
        _say_alike(studio, made)
    if share < 1 or made.lengths.sampled:
        return True
    if not _drops_long(made) and not nothing_learnt(
        studio, made.dataset, made.resolved, limit, made.options.learning()
    ):
        return True
    made.problems.append(BadInput("methods.nothing_to_learn", dataset=made.dataset.name, limit=limit))
    return False


def _say_alike(studio: Studio, made: Plan) -> None:
    """Pairs that differ beyond the length limit only are left out, as the run will say it."""
    assert made.options and made.dataset and made.resolved
    pairs, limit = sample(studio, made.dataset, NOTED), made.options.max_length
    same = tokenized.count_alike(made.resolved, pairs, limit, made.options.learning())
    if same:
        share = same / len(pairs)
        values = {"n": same, "pairs": len(pairs), "limit": limit}
        made.warnings.append(Remark("train.pairs_alike", values, grave=share > MOSTLY_CUT))


def _drops_long(made: Plan) -> bool:
    """A reward model scores the end of an answer: what is cut there is of no use to it."""
    assert made.method and made.options
    return not made.method.writes and made.options.truncation == "end"


def _say_end(made: Plan) -> None:
    """Which end is learnt; texts end with the tokenizer's own."""
    assert made.dataset and made.resolved and made.method
    resolved = made.resolved
    if made.dataset.shape == Shape.TEXT or not made.method.writes:
        return
    made.end = tried(made, lambda: tokenized.end_of_turn(resolved))
    if made.end is not None and not made.end.learnt:
        made.warnings.append(Remark("train.no_end", {"model": resolved.name}, grave=True))


def _estimate(studio: Studio, made: Plan, longest: int) -> None:
    """Memory and time, with a longest sequence of so many tokens."""
    assert made.options and made.resolved and made.model and made.method
    options, resolved = made.options, made.resolved
    size = ModelSize.of(resolved.parameters or made.model.parameters, made.model.details)
    method = made.method
    others = {role: ModelSize.of(model.parameters, model.details) for role, model in made.models.items()}
    models = memory.sizes_by_role(method, size, others)

    def needed(batch_size: int, tuning: str) -> Memory:
        computed = memory.of_run(
            models,
            options,
            tuning=tuning,
            batch_size=batch_size,
            longest=longest,
            device=made.device,
            available=made.memory_total,
            gpus=made.spec.gpus,
            parallel=made.spec.parallel,
        )
        used = estimate.learned_memory(
            studio, method=made.spec.method, tuning=tuning, device=made.device, parameters=size.parameters
        )
        return replace(computed, correction=used or 1.0)

    made.memory = needed(options.batch_size, made.spec.tuning)
    made.lighter = _lighter(made, options.batch_size, needed)
    work = estimate.flops_per_token(
        models,
        tuning=made.spec.tuning,
        checkpointing=made.memory.checkpointing,
    )
    learned = estimate.learned_speed(
        studio, method=made.spec.method, device=made.device, parameters=size.parameters
    )
    speed = learned or estimate.assumed_speed(made.device, studio.settings.threads)
    speed *= made.spec.gpus
    made.learned = learned is not None
    made.seconds = estimate.seconds(
        tokens=made.tokens,
        steps=made.steps,
        flops=work,
        speed=speed,
        device=made.device,
        learned=made.learned,
    )
    made.disk = estimate.disk(size, tuning=made.spec.tuning, options=options, whole=not method.writes)


def _lighter(made: Plan, batch_size: int, needed: Callable[[int, str], Memory]) -> dict[str, dict[str, int]]:
    """What would need less: half the batch, and ways of tuning that can do the same with less."""
    assert made.method and made.memory and made.model
    case = case_of(made, made.model)
    ways: dict[str, dict[str, int]] = {}
    # Half a batch with twice the accumulation learns the same.
    half, now = batch_size // 2, made.spec.tuning
    if half:
        ways["batch_size"] = {"before": batch_size, "after": half, "memory": needed(half, now).total}
    for name, tuning in made.method.tunings.items():
        amount = needed(batch_size, name)
        able = tuning.missing() is None and not tunings.problems(tuning, case)
        if name != now and able and amount.total < made.memory.total:
            ways[name] = {"memory": amount.total}
    return ways


def check_space(studio: Studio, made: Plan) -> None:
    free = shutil.disk_usage(studio.settings.home).free
    if made.disk > free:
        problem = BadInput("train.no_disk", needed=_gb(made.disk), free=_gb(free), path=studio.settings.home)
        made.problems.append(problem)
    if made.memory is None or not made.memory_total:
        return
    amounts = {"needed": _gb(made.memory.total), "total": _gb(made.memory_total)}
    if made.memory.total > made.memory_total:
        kept = made.options is not None and made.options.activation_checkpointing == "off"
        key = f"train.no_memory_{made.device}{'_kept' if kept else ''}"
        made.problems.append(BadInput(key, **amounts))
    elif made.device == "cpu" and made.memory.total > (free_now := psutil.virtual_memory().available):
        made.warnings.append(Remark("train.memory_tight", {**amounts, "free": _gb(free_now)}))


def _gb(amount: int) -> str:
    return f"{amount / 1e9:.1f} GB"
