"""Values that Optuna draws for the runs of a sweep: at random, or by what the runs so far came to (TPE).

An option is given as a range, ``1e-5..1e-3``, or as a list of values, of which one is drawn. TPE is the tree-structured
Parzen estimator (Bergstra et al., 2011, "Algorithms for Hyper-Parameter Optimization").
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from studio_core.base.errors import BadInput
from studio_core.methods import METHODS
from studio_core.runs.spec import TrainSpec
from studio_core.tunings import TUNINGS

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

SAMPLERS = ("tpe", "random")
LEARNS = "tpe"
"""The one that needs to know what runs came to."""

_RANGE = re.compile(
    r"\s*([-+]?[0-9.]*[0-9](?:[eE][-+]?[0-9]+)?)\s*\.\.\s*([-+]?[0-9.]*[0-9](?:[eE][-+]?[0-9]+)?)\s*"
)
# Ends that are further apart than this are drawn by their logarithm: rates, coefficients, batch sizes.
_WIDE = 10
# TPE tells good from bad by comparing runs; Optuna begins with ten at random. Of few runs it is a third.
_AT_RANDOM = 10
# Of choices among few values the same come again; a run that was there already tells nothing.
_TRIES = 50


class Search(BaseModel):
    """What each run of a sampled sweep knows, so that the next can be drawn when it ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sampler: Literal["tpe", "random"]
    trials: int = Field(ge=1)
    """Runs in all."""
    values: dict[str, list[Any]]
    """A range or values by option, as they were asked for."""
    metric: str = ""
    """What is to be best; empty: held-out loss, else what the method is about."""


@dataclass(frozen=True)
class Trial:
    """A run that there is already."""

    values: dict[str, Any]
    state: Literal["ended", "failed", "going"]
    figure: float | None = None
    """Of the metric, if it ended well."""


def has_range(values: Sequence[Any]) -> bool:
    return any(isinstance(value, str) and _RANGE.fullmatch(value) for value in values)


def at_once(search: Search) -> int:
    """Runs that are drawn before any has ended."""
    if search.sampler != LEARNS:
        return search.trials
    return min(search.trials, _AT_RANDOM, max(3, search.trials // 3))


def distributions(run: TrainSpec, values: dict[str, list[Any]]) -> dict[str, BaseDistribution]:
    """Where Optuna draws each option from; raises ``BadInput`` naming a range that is none."""
    return {name: _distribution(run, name, several) for name, several in values.items()}


def _distribution(run: TrainSpec, name: str, several: list[Any]) -> BaseDistribution:
    from optuna import distributions as kinds

    if not has_range(several):
        return kinds.CategoricalDistribution(several)
    ends = _RANGE.fullmatch(str(several[0])) if len(several) == 1 else None
    if ends is None:
        raise BadInput("sweeps.range_alone", option=name)
    try:
        low, high = float(ends[1]), float(ends[2])
    except ValueError as error:
        raise BadInput("sweeps.bad_range", option=name, range=several[0]) from error
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise BadInput("sweeps.bad_range", option=name, range=several[0])
    log = low > 0 and high / low >= _WIDE
    if low.is_integer() and high.is_integer() and _kind(run, name) == "int":
        return kinds.IntDistribution(int(low), int(high), log=log)
    return kinds.FloatDistribution(low, high, log=log)


def _kind(run: TrainSpec, name: str) -> str:
    """How an option is declared; empty for what is none of the method or its tuning."""
    parts = (METHODS.get(run.method), TUNINGS.get(run.tuning))
    known = (field for part in parts if part is not None for field in part.fields if field.name == name)
    return next((field.kind for field in known), "")


def ends(run: TrainSpec, values: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The lowest and the highest of everything, which a plan looks at besides the runs that are drawn."""
    from optuna.distributions import FloatDistribution, IntDistribution

    corners: list[dict[str, Any]] = [{}, {}]
    for name, kind in distributions(run, values).items():
        if isinstance(kind, FloatDistribution | IntDistribution):
            corners[0][name], corners[1][name] = kind.low, kind.high
        else:
            corners[0][name], corners[1][name] = values[name][0], values[name][-1]
    return corners


def draw(
    run: TrainSpec, search: Search, count: int, seed: int, trials: Sequence[Trial] = (), lower: bool = True
) -> list[dict[str, Any]]:
    """Values of ``count`` further runs, none of which is among ``trials``; fewer if there are no others.

    The same arguments draw the same values. With ``lower`` a low figure is the better one.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = distributions(run, search.values)
    learns = search.sampler == LEARNS and bool(trials)
    sampler = (
        # Runs that go on count as poor, so that those beside each other are not all alike.
        optuna.samplers.TPESampler(seed=seed, n_startup_trials=at_once(search), constant_liar=True)
        if learns
        else optuna.samplers.RandomSampler(seed=seed)
    )
    study = optuna.create_study(direction="minimize" if lower else "maximize", sampler=sampler)
    for trial in trials if learns else ():
        _tell(study, trial, space)
    known = {_key(trial.values) for trial in trials}
    values: list[dict[str, Any]] = []
    for _ in range(count + _TRIES):
        if len(values) == count:
            break
        one = {name: _short(value, space[name]) for name, value in study.ask(space).params.items()}
        if _key(one) not in known:
            known.add(_key(one))
            values.append(one)
    return values


def _tell(study: Any, trial: Trial, space: dict[str, BaseDistribution]) -> None:
    """Make the trial known to Optuna; a clone whose values are outside of what is searched is left out."""
    import optuna

    ended = trial.state == "ended" and trial.figure is not None and math.isfinite(trial.figure)
    states = optuna.trial.TrialState
    state = states.RUNNING if trial.state == "going" else states.COMPLETE if ended else states.FAIL
    if trial.values.keys() != space.keys():
        return
    try:
        study.add_trial(
            optuna.trial.create_trial(
                params=trial.values,
                distributions=space,
                value=trial.figure if ended else None,
                state=state,
            )
        )
    except ValueError:  # So says Optuna of a value that its distribution does not have.
        return


def _short(value: Any, kind: BaseDistribution) -> Any:
    """Three digits are more than a run can tell apart, and can be read."""
    from optuna.distributions import FloatDistribution

    if not isinstance(kind, FloatDistribution):
        return value
    return min(max(float(f"{value:.3g}"), kind.low), kind.high)


def _key(values: dict[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, default=str)
