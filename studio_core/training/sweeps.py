"""Sweeps: one training over values of its options, as ordinary jobs that are compared while they go on.

A run of a sweep is a job like any other. It knows its sweep (``spec["sweep"]``), and its key in the queue is made of
the sweep's name and its number there, so that a click that is sent twice is one sweep, and its runs are found by index.
Where a sampler learns from what runs came to, one that ends is followed by another (``go_on``).
"""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select

from studio_core.base import plain_yaml
from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.base.validation import complaint
from studio_core.models.registry import free_name
from studio_core.runs import queue
from studio_core.runs.spec import TrainSpec
from studio_core.training import sampling, standings
from studio_core.training.documents import spec_from
from studio_core.training.history import duplicate
from studio_core.training.planning import plan as plan_of_run
from studio_core.training.sampling import Search, Trial
from studio_core.training.starting import submit

MOST_RUNS = 200
"""A night of short runs; a grid that is larger was hardly meant."""
FIELDS = ("tuning", "preset", "model", "dataset")
"""What can be tried beside options of the method."""
# Plans take some ten milliseconds; what refuses so many draws in a row stands in the way of all.
_DRAWS = 20
_KEY = "sweep-{sweep}-{number:04}"
_NUMBER = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")
_ID = re.compile(r"[0-9a-f]{8,32}")


class SweepSpec(BaseModel):
    """A sweep, as asked for."""

    model_config = ConfigDict(extra="forbid")

    run: TrainSpec
    """What all runs have in common."""
    values: dict[str, list[Any]] = Field(default_factory=dict)
    """The values to try, by option."""
    pairing: Literal["grid", "list", "tpe", "random"] = "grid"
    """Every value with every other; the first of each together, then the second of each; or drawn by a sampler."""
    trials: int = Field(default=20, ge=1, le=MOST_RUNS)
    """Runs that a sampler draws."""
    metric: str = ""
    """What a sampler goes by; empty: held-out loss, else what the method is about."""
    seeds: int = Field(default=1, ge=1, le=20)
    """Runs of each combination, which differ in their random seed only."""

    @property
    def search(self) -> Search | None:
        """What a sampler is to draw; None if all values are given."""
        if self.pairing not in sampling.SAMPLERS:
            return None
        asked = {"sampler": self.pairing, "trials": self.trials, "values": self.values, "metric": self.metric}
        return Search.model_validate(asked)


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep will do."""

    runs: list[tuple[dict[str, Any], TrainSpec]]
    """Each with the values by which it differs."""
    later: int = 0
    """Runs whose values are drawn when others have ended."""
    seconds: float | None = None
    """Of all runs, one after the other; None if it is not known of one of them."""
    at_once: int = 1
    """Runs that this machine carries out beside each other."""
    disk: int = 0
    """Bytes that checkpoints and results will take at most."""
    problems: list[tuple[dict[str, Any], StudioError]] = field(default_factory=list)
    """What stands in the way, with the values whose run it is; nothing is started then."""

    @property
    def ready(self) -> bool:
        return not self.problems


def spec_of(
    run: TrainSpec, values: dict[str, list[Any]], pairing: str = "grid", seeds: int = 1, **more: Any
) -> SweepSpec:
    """A sweep of what a form or the command line gives; raises ``BadInput`` naming the first fault."""
    values = {name: [_plain(value) for value in several] for name, several in values.items()}
    asked = {"run": run, "values": values, "pairing": pairing, "seeds": seeds, **more}
    try:
        return SweepSpec.model_validate(asked)
    except ValidationError as error:
        first = complaint(error)
        raise BadInput(
            "train.field_invalid", field=first.name, value=first.value, reason=first.reason
        ) from error


def read(text: str) -> dict[str, list[Any]]:
    """The values of a form: ``learning_rate = 1e-4, 3e-4``, one option a line; raises ``BadInput`` with the line."""
    values: dict[str, list[Any]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, several = line.partition("=")
        try:
            values[name.strip()] = plain_yaml.load(f"[{several}]") if equals and several.strip() else []
        except ValueError as error:
            raise BadInput("sweeps.bad_line", line=line[:80]) from error
        if not values[name.strip()]:
            raise BadInput("sweeps.bad_line", line=line[:80])
    return values


def _plain(value: Any) -> Any:
    """1e-4 as a number, which YAML takes for a word."""
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) else value


def combinations(spec: SweepSpec) -> list[dict[str, Any]]:
    """The values of each run, by option; raises ``BadInput`` if the lists do not go together."""
    if not spec.values or not all(spec.values.values()):
        raise BadInput("sweeps.no_values")
    if "seed" in spec.values:  # Runs that differ in their seed only are one combination.
        raise BadInput("sweeps.seeds_apart")
    if spec.search is not None:
        if spec.pairing == sampling.LEARNS and spec.seeds > 1:
            raise BadInput("sweeps.one_seed")
        return sampling.draw(spec.run, spec.search, sampling.at_once(spec.search), spec.run.seed)
    if ranges := [name for name, values in spec.values.items() if sampling.has_range(values)]:
        raise BadInput("sweeps.range_drawn", option=ranges[0])
    if spec.pairing == "list":
        lengths = {name: len(values) for name, values in spec.values.items()}
        if len({*lengths.values()}) > 1:
            told = ", ".join(f"{name}: {length}" for name, length in lengths.items())
            raise BadInput("sweeps.uneven", lengths=told)
        rows = zip(*spec.values.values(), strict=True)
    else:
        rows = itertools.product(*spec.values.values())  # type: ignore[assignment]
    return [dict(zip(spec.values, row, strict=True)) for row in rows]


def runs_of(spec: SweepSpec) -> list[tuple[dict[str, Any], TrainSpec]]:
    """Every run with its values; seeds count up from the one that was asked for. Raises ``BadInput``."""
    combined = combinations(spec)
    if (count := len(combined) * spec.seeds) > MOST_RUNS:
        raise BadInput("sweeps.too_many", runs=count, most=MOST_RUNS)
    return [
        (values, changed(spec.run, {**values, "seed": spec.run.seed + more}))
        for values in combined
        for more in range(spec.seeds)
    ]


def changed(run: TrainSpec, values: Mapping[str, Any]) -> TrainSpec:
    """The training with other values of options, fields or its seed; raises ``BadInput``."""
    fields = {name: value for name, value in values.items() if name in (*FIELDS, "seed")}
    options = {name: value for name, value in values.items() if name not in fields}
    return spec_from({**run.model_dump(), **fields, "options": {**run.options, **options}})


def plan(studio: Studio, spec: SweepSpec) -> SweepPlan:
    """How many runs, how long, how much disk, and what stands in the way; raises ``BadInput`` of lists only."""
    runs = runs_of(spec)
    plans = [(values, plan_of_run(studio, run)) for values, run in runs[:: spec.seeds]]
    seconds = [one.seconds for _, one in plans]
    known = [amount for amount in seconds if amount is not None]
    later = spec.trials - len(runs) if spec.pairing == sampling.LEARNS else 0
    # Of runs that are not drawn yet nothing is known but that they are like the others.
    times = spec.seeds * (1 + later / len(runs))
    if spec.search is not None:
        plans += [
            (values, plan_of_run(studio, changed(spec.run, values)))
            for values in sampling.ends(spec.run, spec.values)
        ]
    return SweepPlan(
        runs=runs,
        later=later,
        seconds=sum(known) * times if len(known) == len(seconds) else None,
        at_once=_slots(studio, {one.device for _, one in plans}, spec.run.gpus),
        disk=round(sum(one.disk for _, one in plans[: len(seconds)]) * times),
        problems=[(values, one.problems[0]) for values, one in plans if one.problems],
    )


def _slots(studio: Studio, kinds: set[str], gpus: int) -> int:
    """Runs of so many GPUs that this machine carries out beside each other."""
    return max(1, sum(device.kind in kinds for device in queue.devices(studio)) // gpus)


def start(studio: Studio, spec: SweepSpec, key: str | None = None) -> str:
    """Queue all runs of a sweep; returns its name. Raises the first thing in the way, before any run is queued.

    The same key, eight to 32 digits of base 16, is the same sweep.
    """
    sweep = key or secrets.token_hex(4)
    if not _ID.fullmatch(sweep):
        raise BadInput("sweeps.unknown", sweep=sweep[:40])
    told = plan(studio, spec)
    if told.problems:
        raise told.problems[0][1]
    search = {"search": spec.search.model_dump()} if spec.search is not None else {}
    for number, (values, run) in enumerate(told.runs, 1):
        _submit(studio, sweep, number, values, run, **search)
    return sweep


def _submit(
    studio: Studio, sweep: str, number: int, values: Mapping[str, Any], run: TrainSpec, **more: Any
) -> Job:
    name = free_name(studio, run.name.strip() or f"sweep-{sweep[:4]}")
    about = {"id": sweep, "values": dict(values), "seed": run.seed, **more}
    key = _KEY.format(sweep=sweep, number=number)
    return submit(studio, run.model_copy(update={"name": name}), key, sweep=about)


def jobs(studio: Studio, sweep: str) -> list[Job]:
    """The runs of a sweep in its order; of one that was resumed its newest continuation. Raises ``NotFound``."""
    if not _ID.fullmatch(sweep):
        raise NotFound("sweeps.unknown", sweep=sweep[:40])
    begin = f"sweep-{sweep}-"
    query = select(Job).where(Job.idempotency_key >= begin, Job.idempotency_key < f"{begin}:")
    with studio.db.read() as session:
        found = session.scalars(query.order_by(Job.idempotency_key)).all()
    if not found:
        raise NotFound("sweeps.unknown", sweep=sweep)
    return [queue.last_of_chain(studio, job) for job in found]


def newest(studio: Studio, limit: int = 20) -> list[tuple[str, Job]]:
    """Sweeps with their first run, the newest first."""
    query = select(Job).where(Job.idempotency_key >= "sweep-", Job.idempotency_key < "sweep.")
    first = query.where(Job.idempotency_key.endswith("-0001")).order_by(Job.id.desc()).limit(limit)
    with studio.db.read() as session:
        return [(job.spec["sweep"]["id"], job) for job in session.scalars(first)]


def sweep_of(job: Job) -> str | None:
    """The sweep that a run belongs to."""
    about = job.spec.get("sweep")
    return about["id"] if isinstance(about, dict) else None


def search_of(job: Job) -> Search | None:
    """What a sampler draws for the run's sweep."""
    asked = (job.spec.get("sweep") or {}).get("search")
    return Search.model_validate(asked) if asked else None


def go_on(studio: Studio, job: Job, state: State) -> Job | None:
    """Queue the next run of a sampled sweep, as one of it ends in ``state``; None where there is none to follow.

    Called before the end is stored, and again if the engine dies in between: a run is followed once. A run that is
    cancelled is followed by none, so that people can end a sweep; nor is the third in a row that failed.
    """
    search = search_of(job)
    if search is None or search.sampler != sampling.LEARNS or state == State.CANCELLED:
        return None
    sweep = job.spec["sweep"]["id"]
    ours = [one for one in jobs(studio, sweep) if one.id != job.id]
    followed = any(one.spec["sweep"].get("after") == job.id for one in ours)
    last = [state, *(one.state for one in sorted(ours, key=lambda one: -one.id) if one.state in TERMINAL)][:3]
    if followed or len(ours) + 1 >= search.trials or last == [State.FAILED] * 3:
        return None
    run = duplicate(studio, job.id)
    going = sum(one.state not in TERMINAL for one in ours)
    if going >= _slots(studio, {plan_of_run(studio, run).device}, run.gpus):
        return None
    metric = search.metric or standings.usual([job, *ours])
    tried = [_trial(studio, one, metric) for one in ours] + [_trial(studio, job, metric, state)]
    number = _last_number(studio, sweep) + 1
    values = _draw_next(studio, run, search, number, tried, standings.lower_is_better(metric))
    if values is None:
        return None
    about = {"search": search.model_dump(), "after": job.id}
    return _submit(studio, sweep, number, values, changed(run, values), **about)


def _draw_next(
    studio: Studio, run: TrainSpec, search: Search, number: int, tried: list[Trial], lower: bool
) -> dict[str, Any] | None:
    """Values whose run nothing stands in the way of; None if there are no others. Raises what refused the last draw.

    A model may have been deleted since the sweep began, or the disk have filled: other values may be free of that.
    """
    refusal: StudioError | None = None
    for _ in range(_DRAWS):
        drawn = sampling.draw(run, search, 1, run.seed + number, tried, lower)
        if not drawn:
            return None
        problems = plan_of_run(studio, changed(run, drawn[0])).problems
        if not problems:
            return drawn[0]
        refusal = problems[0]
        tried = [*tried, Trial(drawn[0], "failed")]
    assert refusal
    raise refusal


def _trial(studio: Studio, job: Job, metric: str, state: str | None = None) -> Trial:
    state, values = state or job.state, job.spec["sweep"]["values"]
    if state not in TERMINAL:
        return Trial(values, "going")
    if state != State.SUCCEEDED:
        return Trial(values, "failed")
    return Trial(values, "ended", standings.figure(studio, job, metric))


def clone(studio: Studio, sweep: str, run: int, changes: Mapping[str, Any]) -> Job:
    """A run of the sweep again with other values, as one more of its runs; it may be queued while others go on."""
    ours = jobs(studio, sweep)
    original = next((job for job in ours if job.id == run), None)
    if original is None:
        raise BadInput("sweeps.not_in", run=run, sweep=sweep)
    if not changes:
        raise BadInput("sweeps.no_changes", run=run)
    changes = {name: _plain(value) for name, value in changes.items()}
    values = {**original.spec["sweep"]["values"], **changes}
    values.pop("seed", None)  # It is no value that is tried: runs that differ in it stand together.
    return _submit(
        studio, sweep, _last_number(studio, sweep) + 1, values, changed(duplicate(studio, run), changes)
    )


def _last_number(studio: Studio, sweep: str) -> int:
    begin = f"sweep-{sweep}-"
    query = select(Job.idempotency_key).where(Job.idempotency_key >= begin, Job.idempotency_key < f"{begin}:")
    with studio.db.read() as session:
        last = session.scalar(query.order_by(Job.idempotency_key.desc()).limit(1))
    return int(str(last).rpartition("-")[2])
