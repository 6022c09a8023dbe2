"""How much memory and time a training will take, before it starts. Rules of thumb, said as "about".

Memory is a sum of six parts (``Memory``); time is floating-point work divided by speed
(``seconds``). Where the machine has trained a similar model before, its own speed is
used instead of the assumed one (``learned_speed``).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio_core.methods import METHODS
from studio_core.states import State
from studio_core.studio import Studio
from studio_core.tables import Job, Metric, Model

# A worker with torch, transformers, trl and peft imported, before it loads anything (measured).
RUNTIME = {"cpu": 1150 << 20, "gpu": 900 << 20}

# Floating-point operations each second that training reaches, where nothing was measured yet.
# One thread of a CPU by its vector unit (2-million to 6-million-parameter models, measured
# with AMX, assumed below); a data-centre GPU at 30 % of its bf16 peak.
ASSUMED = {"amx": 60e9, "avx512": 25e9, "plain": 12e9, "gpu": 1e14}

# What a step costs besides arithmetic: dispatch of a thousand small operations (measured).
STEP_OVERHEAD = {"cpu": 0.012, "gpu": 0.08}


@dataclass(frozen=True)
class ModelSize:
    """The numbers of a model that estimates need."""

    parameters: int
    hidden: int
    layers: int
    vocab: int
    intermediate: int
    tied: bool

    @classmethod
    def of(cls, parameters: int, details: dict[str, Any]) -> ModelSize:
        """From a model's row; sizes that its configuration did not name are guessed from its parameters."""
        hidden = int(details.get("hidden") or max(64, round((parameters / 300) ** 0.5)))
        layers = int(details.get("layers") or max(1, round(parameters / (12 * hidden * hidden))))
        return cls(
            parameters=parameters,
            hidden=hidden,
            layers=layers,
            vocab=int(details.get("vocab") or 32_000),
            intermediate=int(details.get("intermediate") or 4 * hidden),
            tied=bool(details.get("tied")),
        )

    def adapter_parameters(self, rank: int) -> int:
        """Of LoRA on every linear layer: rank x (inputs + outputs); an upper bound for shared key heads."""
        attention = 4 * 2 * self.hidden
        feed_forward = 3 * (self.hidden + self.intermediate)
        return self.layers * rank * (attention + feed_forward)

    @property
    def multiplied(self) -> int:
        """Parameters that each token is multiplied with: all but an embedding that is only looked up."""
        return self.parameters - (0 if self.tied else self.vocab * self.hidden)


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a training, by what they hold."""

    weights: int
    gradients: int
    optimiser: int
    activations: int
    logits: int
    runtime: int
    correction: float = 1.0
    """What earlier runs really used, as a multiple of what was computed for them."""

    @property
    def computed(self) -> int:
        parts = (self.weights, self.gradients, self.optimiser, self.activations, self.logits, self.runtime)
        return sum(parts)

    @property
    def total(self) -> int:
        return round(self.computed * self.correction)


def memory(
    size: ModelSize,
    *,
    tuning: str,
    sequences: int,
    length: int,
    device: str,
    rank: int = 16,
    reference: bool = False,
    writes: bool = True,
    checkpointing: bool = False,
    gpus: int = 1,
    parallel: str = "ddp",
) -> Memory:
    """Memory of one step of ``sequences`` sequences padded to ``length`` tokens, on each of the GPUs.

    - weights: 4 bytes a parameter when all are trained (AdamW needs full precision to add up
      small changes), 2 under an adapter on a GPU (4 on a CPU), 0.55 in 4 bit (NF4 with double
      quantisation; embeddings stay in 16 bit); twice if a frozen reference model is kept
    - gradients: 4 bytes, and optimiser: 8 bytes (AdamW's two moments), a trained parameter
    - activations, a token and layer: 8 hidden + 4 feed-forward values kept for the backward
      pass (2 bytes on a GPU, 4 on a CPU) and two norms in full precision; with checkpointing
      one hidden value a layer, and one whole layer at a time (after Korthikanti et al. 2022)
    - logits: 12 bytes for each token and vocabulary entry on a CPU (logits, their gradient and
      the softmax); on a GPU they are made in blocks of at most 4,096 tokens; a model that scores has none
    - on several GPUs: ddp keeps the gradients twice (they are sent in buckets), deepspeed parts
      gradients and optimiser among them, fsdp the weights as well, but for two layers at a time
    """
    trained = size.parameters if tuning == "full" else size.adapter_parameters(rank)
    width = 2 if device == "gpu" else 4
    if tuning == "full":
        weights = 4 * size.parameters * (2 if reference else 1)
    elif tuning == "qlora":
        embeddings = size.vocab * size.hidden * (1 if size.tied else 2)
        weights = int(0.55 * max(0, size.parameters - embeddings)) + 2 * min(embeddings, size.parameters)
    else:
        weights = width * size.parameters
    tokens = sequences * length
    layer = width * (8 * size.hidden + 4 * size.intermediate) + 2 * 4 * size.hidden
    kept = width * size.hidden * size.layers + layer if checkpointing else layer * size.layers
    together = min(tokens, 4096) if device == "gpu" else tokens
    weights += 4 * trained if tuning != "full" else 0
    gradients, optimiser = 4 * trained, 8 * trained
    if gpus > 1 and parallel == "ddp":
        gradients *= 2
    elif gpus > 1:
        gradients, optimiser = gradients // gpus, optimiser // gpus
        if parallel == "fsdp":
            weights = weights // gpus + 2 * weights // max(1, size.layers)
    return Memory(
        weights=weights,
        gradients=gradients,
        optimiser=optimiser,
        activations=tokens * kept,
        logits=12 * together * size.vocab if writes else 0,
        runtime=RUNTIME[device],
    )


def disk(size: ModelSize, *, tuning: str, rank: int, whole: bool = False) -> int:
    """Bytes on disk: the result (4 a trained parameter; of all, if an adapter is merged and it is ``whole``)
    and three checkpoints (12 each, with the optimiser's moments): two that are kept, and one that is being
    written.
    """
    trained = size.parameters if tuning == "full" else size.adapter_parameters(rank)
    return 4 * (size.parameters if whole else trained) + 3 * 12 * trained


def flops_per_token(
    size: ModelSize, *, tuning: str, forward_passes: int = 0, checkpointing: bool = False
) -> float:
    """Floating-point operations for one token: 2 a parameter forwards, 2 for the gradient of the
    activations, and 2 more for that of the weights where they are trained; 2 for a second
    forward pass under checkpointing, and 2 for each pass of a reference model or without gradient.
    """
    passes = 6 if tuning == "full" else 4
    return float(size.multiplied * (passes + 2 * checkpointing + 2 * forward_passes))


def seconds(*, tokens: int, steps: int, flops: float, speed: float, device: str, learned: bool) -> float:
    """Time of the steps alone; a learned speed holds the overhead of a step already."""
    return tokens * flops / speed + (0.0 if learned else steps * STEP_OVERHEAD[device])


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


def learned_speed(studio: Studio, device: str, parameters: int) -> float | None:
    """Operations each second of up to five earlier runs on one such device, with a model of similar size.

    Similar is within a factor of four. None if there was no such run.
    """
    query = (
        select(Job, Model)
        .join(Model, Model.job_id == Job.id)
        .where(Job.kind == "train", Job.state == State.SUCCEEDED)
        .where(Model.parameters.between(parameters // 4, parameters * 4))
        .order_by(Job.id.desc())
        .limit(50)
    )
    found: list[float] = []
    with studio.db.read() as session:
        for job, model in session.execute(query):
            if speed := _speed_of(session, job, model, device):
                found.append(speed)
            if len(found) == 5:
                break
    return median(found) if found else None


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
    found: list[float] = []
    with studio.db.read() as session:
        for job in session.scalars(query):
            computed = (job.spec.get("estimate") or {}).get("computed")
            base = int(job.spec.get("run", {}).get("model", {}).get("parameters") or 0)
            alike = parameters // 4 <= base <= parameters * 4 and job.spec.get("tuning") == tuning
            if computed and alike and ran_on(job) == device and job.peak_memory:
                found.append(job.peak_memory / computed)
    return median(found[:5]) if found else None


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
    if first is None or last is None or last.step - first.step < 5:
        return None
    taken = (last.at - first.at).total_seconds()
    passed = (last.step - first.step) * resolved.get("effective_batch", 1) * tokens / rows
    work = flops_per_token(
        ModelSize.of(model.parameters, model.details),
        tuning=str(job.spec.get("tuning", "full")),
        forward_passes=METHODS[job.method].forward_passes if job.method in METHODS else 0,
        checkpointing=bool(resolved.get("activation_checkpointing")),
    )
    return float(passed * work / taken / resolved.get("gpus", 1)) if taken > 0 else None
