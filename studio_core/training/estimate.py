"""How much time and disk a training will take, before it starts. Rules of thumb, said as "about".

Memory is in ``memory``; time is floating-point work divided by speed (``seconds``). Where the machine has
trained a similar model by the same method before, its own speed is used instead of the assumed one
(``learned_speed``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from studio_core import methods, tunings
from studio_core.base.states import State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Metric, Model
from studio_core.methods import METHODS
from studio_core.methods.common import TrainingOptions
from studio_core.methods.roles import Role
from studio_core.models.size import ModelSize
from studio_core.tunings import DEFAULT, TUNINGS

# Floating-point operations each second that training reaches, where nothing was measured yet.
# One thread of a CPU by its vector unit (2-million to 6-million-parameter models, measured
# with AMX, assumed below); a data-centre GPU at 30 % of its bf16 peak.
ASSUMED = {"amx": 60e9, "avx512": 25e9, "plain": 12e9, "gpu": 1e14}

# What a step costs besides arithmetic: dispatch of a thousand small operations (measured).
STEP_OVERHEAD = {"cpu": 0.012, "gpu": 0.08}


def disk(size: ModelSize, *, tuning: str, options: BaseModel, whole: bool = False) -> int:
    """Bytes on disk: the result (4 a trained parameter; of all, if it is a complete model or an adapter is merged and
    it is ``whole``) and three checkpoints (4 likewise, and the optimiser's two moments): two that are kept, and one
    that is being written; under early stopping two more, the best ones up to either of those.
    """
    way = tunings.named(tuning)
    trained = way.trained(size, options)
    kept = size.parameters if way.whole else trained
    checkpoints = 5 if getattr(options, "early_stopping_patience", 0) else 3
    return 4 * (size.parameters if whole else kept) + checkpoints * (4 * kept + 8 * trained)


def flops_per_token(
    models: Mapping[Role, ModelSize], *, tuning: str, options: Any = None, checkpointing: bool = False
) -> float:
    """Floating-point operations for one token, of all roles: 2 a parameter forwards, the gradients where it learns, 2
    for a second forward pass under checkpointing, all as often as a step learns from it, and 2 for each pass without
    gradient. ``options`` are those of the run, or the tuning's alone, its defaults if there are none.
    """
    way = tunings.named(tuning)
    options = way.Options() if options is None else options
    times = options.times_learnt if isinstance(options, TrainingOptions) else 1

    def of(role: Role, size: ModelSize) -> int:
        forward = 2 * size.multiplied
        learning = forward * (1 + checkpointing) + way.gradients(size, options) if role.learns else 0
        return times * learning + forward * role.passes

    return float(sum(of(role, size) for role, size in models.items()))


def seconds(*, tokens: int, updates: int, flops: float, speed: float, device: str, learned: bool) -> float:
    """Time of the steps alone; a learned speed holds the overhead of an update already."""
    return tokens * flops / speed + (0.0 if learned else updates * STEP_OVERHEAD[device])


def assumed_speed(device: str, threads: int = 0) -> float:
    """Operations each second where nothing was measured yet."""
    if device == "gpu":
        return ASSUMED["gpu"]
    return ASSUMED[_vector_unit()] * (threads or os.cpu_count() or 1)


@cache
def _vector_unit() -> str:
    info = Path("/proc/cpuinfo")
    flags = info.read_text(errors="replace") if info.is_file() else ""
    return "amx" if "amx_bf16" in flags else "avx512" if "avx512f" in flags else "plain"


def learned_speed(studio: Studio, *, method: str, device: str, parameters: int) -> float | None:
    """Operations each second of up to five earlier runs of this method on one such device, with a similar model.

    Similar is within a factor of four in size. None if there was no such run.
    """
    query = (
        select(Job, Model)
        .join(Model, Model.job_id == Job.id)
        .where(Job.kind == "train", Job.state == State.SUCCEEDED, Job.method == method)
        .where(Model.parameters.between(parameters // 4, parameters * 4))
        .order_by(Job.id.desc())
        .limit(50)
    )
    speeds: list[float] = []
    with studio.db.read() as session:
        for job, model in session.execute(query):
            if speed := _speed_of(session, job, model, device):
                # The newest first: machines and versions change.
                speeds.append(speed)
            if len(speeds) == 5:
                break
    return median(speeds) if speeds else None


def learned_memory(studio: Studio, *, method: str, tuning: str, device: str, parameters: int) -> float | None:
    """How much more or less than computed up to five earlier runs of this kind used at their peak.

    The median of used / computed; of this kind are finished runs of the same method, tuning and
    device with a base model within a factor of four. None if there was none.
    """
    query = (
        select(Job)
        .where(Job.kind == "train", Job.state == State.SUCCEEDED, Job.method == method)
        .where(Job.peak_memory.is_not(None))
        .order_by(Job.id.desc())
        .limit(50)
    )
    ratios: list[float] = []
    with studio.db.read() as session:
        for job in session.scalars(query):
            computed = (job.spec.get("estimate") or {}).get("computed")
            base = int(job.spec.get("run", {}).get("model", {}).get("parameters") or 0)
            alike = parameters // 4 <= base <= parameters * 4 and job.spec.get("tuning") == tuning
            if computed and alike and ran_on(job) == device and job.peak_memory:
                ratios.append(job.peak_memory / computed)
    return median(ratios[:5]) if ratios else None


def ran_on(job: Job) -> str:
    """``cpu`` or ``gpu``, as the worker reported it."""
    return "cpu" if str(job.resolved.get("device", "CPU")).upper().startswith("CPU") else "gpu"


def _speed_of(session: Session, job: Job, model: Model, device: str) -> float | None:
    """From the times of a run's first and last report, so that loading and answering do not count."""
    resolved = job.resolved
    rows, tokens = resolved.get("rows"), resolved.get("tokens")
    if ran_on(job) != device or not rows or not tokens:
        return None
    reports = select(Metric.at, Metric.step).where(Metric.job_id == job.id).limit(1)
    first = session.execute(reports.order_by(Metric.seq)).first()
    last = session.execute(reports.order_by(Metric.seq.desc())).first()
    # Fewer steps say more of warming up than of the speed.
    if first is None or last is None or last.step - first.step < 5:
        return None
    seconds = (last.at - first.at).total_seconds()
    passed = (last.step - first.step) * resolved.get("effective_batch", 1) * tokens / rows
    way = TUNINGS.get(str(job.spec.get("tuning")), TUNINGS[DEFAULT])
    method = METHODS.get(
        job.method or "", METHODS[methods.DEFAULT]
    )  # Of one that is not known any more: a guess.
    size = ModelSize.of(model.parameters, model.details)
    work = flops_per_token(
        dict.fromkeys(
            [role for role in method.roles if not role.optional or role.name in job.spec.get("models", {})],
            size,
        ),
        tuning=way.name,
        options=method.options_with(way).model_construct(**job.spec.get("run", {}).get("options", {})),
        checkpointing=bool(resolved.get("activation_checkpointing")),
    )
    return float(passed * work / seconds / resolved.get("gpus", 1)) if seconds > 0 else None
