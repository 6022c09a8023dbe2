"""Merging LoRA adapters of one base model: a new adapter that has learnt what each of them has, without a training.

A LoRA adapter changes each weight by ``D = scaling * B A``. Of adapters with weights ``w_i`` a method makes one ``D``:

    cat           sum of w_i D_i, exactly; the rank is the sum of their ranks
    svd           the same sum, cut to the largest of their ranks by its singular values (the closest there is)
    linear        A and B are summed each for itself with sqrt(w_i scaling_i): also holds products of one adapter's B
                  with another's A, so it is not the sum above; costs nothing and keeps the rank
    ties          per number of A and of B: the largest by amount are kept, a sign is elected, and those of that sign
                  are averaged (Yadav et al. 2023, arXiv:2306.01708)
    dare_linear   numbers of A and of B are dropped at random and the rest divided by the share that is kept, then
                  summed (Yu et al. 2023, arXiv:2311.03099); dare_ties elects a sign as well
    ..._svd       the same on the whole D, which is what the papers describe, then cut by singular values; also for
                  adapters of different ranks
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from studio_core.base.errors import BadInput, Conflict, StudioError
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job, Model
from studio_core.models import plain_lora, registry
from studio_core.models.inspect import read_json
from studio_core.options import checked, option
from studio_core.runs import queue, run_folder
from studio_core.runs.spec import MergeRun, MergeSpec

AREAS = ("models.merge", "options")
"""Where the texts of the options are."""

Method = Literal[
    "cat",
    "svd",
    "linear",
    "ties",
    "dare_linear",
    "dare_ties",
    "ties_svd",
    "dare_linear_svd",
    "dare_ties_svd",
]
"""By PEFT's names (``combination_type``)."""
METHODS: tuple[str, ...] = get_args(Method)
SAME_RANK = ("linear", "ties", "dare_linear", "dare_ties")
"""Methods that work on the numbers of A and B one by one, which must be as many in each adapter."""
ELECTING = ("ties", "dare_ties", "ties_svd", "dare_ties_svd")
"""Methods that average what agrees, where the others add up."""
DROPPING = ("dare_linear", "dare_ties", "dare_linear_svd", "dare_ties_svd")
"""Methods that draw what they leave out: another seed gives another result."""
SPARSE = tuple(method for method in METHODS if method in (*ELECTING, *DROPPING))
"""Methods that keep a share of the values only, which is their density."""


class MergeOptions(BaseModel):
    """How adapters are merged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # The one that is exactly what the weights say; a larger rank costs a little memory, no quality.
    method: Method = option("cat", advanced=False)
    # TIES keeps a fifth and DARE as little as a tenth of what full tuning changed; of narrow A and B, which hold
    # less that is idle, half is kept. At 0 nothing would be left, and DARE divides by it.
    density: float = option(0.5, at_least=0.01, at_most=1.0, advanced=False)


@dataclass(frozen=True)
class Candidate:
    """An adapter as somebody who wants to merge sees it."""

    model: Model
    base: str
    """Name of the complete model that it is on."""
    rank: int | None
    problem: StudioError | None
    """Why it cannot be merged with any other."""


def candidates(studio: Studio) -> list[Candidate]:
    """All adapters, those of one base beside each other, newest first."""
    listed = [_candidate(studio, model) for model in registry.all_models(studio) if model.kind == "adapter"]
    return sorted(listed, key=lambda candidate: candidate.base)


def _candidate(studio: Studio, model: Model) -> Candidate:
    base, rank, problem = registry.complete_below(studio, model), None, None
    try:
        registry.resolve_row(studio, model)
        rank = _rank(model)
    except StudioError as error:
        problem = error
    return Candidate(model, base.name, rank, problem)


def even_weight(method: str, count: int) -> float:
    """What each of ``count`` adapters weighs if nobody says more.

    Sums of adapters that answer nothing else want weights that add up to 1; those that elect signs average, and give
    every adapter its whole effect at 1 each (docs/MEASURED.md, "Merging two adapters").
    """
    return 1.0 if method in ELECTING else round(1 / max(count, 1), 4)


def submit(studio: Studio, spec: MergeSpec, key: str | None = None) -> Job:
    """Queue one merge; raises what stands in its way. The same key twice gives the same job."""
    options = checked(MergeOptions, spec.options, "merge", AREAS)
    adapters = [registry.get(studio, name) for name in spec.adapters]
    base = _common_base(studio, adapters)
    _check_configs(adapters, options.method)
    names = [adapter.name for adapter in adapters]
    weights = list(spec.adapters.values())
    # As long as names of runs may be; the models page has them all.
    name = spec.name.strip() or f"{options.method}-{'-'.join(names)}"[:80]
    exact = spec.model_copy(update={"name": name, "adapters": dict(zip(names, weights, strict=True))})
    run = MergeRun(
        spec=exact,
        model=registry.resolve_row(studio, base),
        adapters=[registry.resolve_row(studio, adapter) for adapter in adapters],
        weights=weights,
        options=options.model_dump(),
    )
    return queue.submit(
        studio,
        kind="merge",
        name=name,
        method=options.method,
        spec={**exact.model_dump(), "model": base.name, "run": run.model_dump()},
        idempotency_key=key,
        priority=spec.priority,
    )


def _common_base(studio: Studio, adapters: Sequence[Model]) -> Model:
    """The complete model that all are on; raises ``BadInput`` if they are not two or more adapters on one."""
    if len({adapter.id for adapter in adapters}) < 2:
        named = ", ".join(adapter.name for adapter in adapters) or "-"
        raise BadInput("models.merge.too_few", named=named)
    bases = {}
    for adapter in adapters:
        if adapter.kind != "adapter":
            raise BadInput("models.merge.no_adapter", model=adapter.name)
        bases[adapter.name] = registry.complete_below(studio, adapter)
    first, *others = bases.items()
    for name, base in others:
        if base.id != first[1].id:
            values = {"first": first[0], "first_base": first[1].name, "other": name, "other_base": base.name}
            raise BadInput("models.merge.other_base", **values)
    if registry.scores(first[1]):
        raise BadInput("models.scores_only", model=first[1].name)
    return first[1]


def _check_configs(adapters: Sequence[Model], method: str) -> None:
    """Raise ``BadInput`` if one of them is no plain LoRA, or their ranks do not go with the method."""
    ranks = {adapter.name: _rank(adapter) for adapter in adapters}
    if method in SAME_RANK and len(set(ranks.values())) > 1:
        listed = ", ".join(f"{name} {rank}" for name, rank in ranks.items())
        instead = "svd" if method == "linear" else f"{method}_svd"
        raise BadInput("models.merge.other_rank", method=method, ranks=listed, instead=instead)


def _rank(adapter: Model) -> Any:
    """Its rank, as its configuration has it; raises ``BadInput`` if it is more or other than plain LoRA."""
    config = read_json(Path(adapter.path) / "adapter_config.json")
    if config.get("peft_type") != "LORA":
        raise BadInput("models.merge.other_kind", model=adapter.name, kind=config.get("peft_type", "?"))
    if more := plain_lora.besides(config):
        raise BadInput("models.merge.more_than_lora", model=adapter.name, what=", ".join(more))
    return config.get("r")


def resume(studio: Studio, job_id: int, key: str | None = None) -> Job:
    """The same merge again, from its beginning, after one that ended without a result."""
    job = queue.get(studio, job_id)
    if job.state not in TERMINAL:
        raise Conflict("train.resume_live", job=job_id)
    if job.state == State.SUCCEEDED:
        raise Conflict("models.merge.finished", job=job_id)
    return queue.submit_again(studio, job, job.spec, key)


def register_result(studio: Studio, job: Job, result: dict[str, Any]) -> Model:
    """List the new adapter, on the base of those that it was merged from, with their names and weights."""
    run = MergeRun.model_validate(job.spec["run"])
    adapters = [
        {"id": adapter.id, "name": adapter.name, "weight": weight}
        for adapter, weight in zip(run.adapters, run.weights, strict=True)
    ]
    return registry.register_result(
        studio, job, result, {registry.MERGE: {**run.options, "adapters": adapters}}
    )


def discard(job: Job) -> None:
    """Remove what a merge had not written to its end."""
    if job.run_dir:
        shutil.rmtree(Path(job.run_dir) / run_folder.PARTIAL_MODEL, ignore_errors=True)
