"""Models against suites as data: a cell for each of both, and what the items that two models share tell of them.

Pure: values of items in, a ``Report`` out. Each model is compared with the first; the p-values of all comparisons of a
report are corrected together (Holm), since who looks at forty comparisons finds two of them below 0.05 by chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from studio_core.statistics.means import Floats, mean_interval
from studio_core.statistics.paired import MARGIN, Comparison, Direction, compare
from studio_core.statistics.several import holm
from studio_core.statistics.winrate import LEVEL, interval_p

Unit = Literal["share", "bits", "nats", "score"]
# What is too little to matter. A hundredth of a bit a byte is what another seed moves; of a judge's ten points it is as
# of shares, three of a hundred. Of nats a token from the first model, a twentieth: hardly another word in a paragraph.
# Judgements.
MARGINS: Mapping[Unit, float] = {"share": MARGIN, "bits": 0.01, "nats": 0.05, "score": 0.3}
# In every stored report, so that a later form can tell the old ones.
VERSION = 1


@dataclass(frozen=True)
class Reached:
    """What the protocol of a judged suite says; not always the mean of the items, as a rate at equal length."""

    mean: float
    low: float
    high: float
    level: float = LEVEL
    """Of the interval."""
    by_definition: bool = False
    """Of a baseline beside itself, which nobody judged."""


@dataclass(frozen=True)
class Result:
    """What one model's answers to one suite are worth; all sequences are of the items, in one order.

    Raises ValueError if they differ in length, or an item is there twice.
    """

    model: str
    suite: str
    items: Sequence[str]
    """Their ids, by which two models are compared."""
    values: Floats
    """NaN: there is no value, since nothing was answered or scored."""
    title: str = ""
    """Of the suite, in the reader's language; empty: its name."""
    clusters: Sequence[str] | None = None
    """To which each belongs; None: each stands for itself."""
    tokens: Floats | None = None
    truncated: NDArray[np.bool_] | None = None
    """Whether the answer was cut at its greatest length."""
    readable: NDArray[np.bool_] | None = None
    """Whether the answer had the form that was asked for."""
    seconds: float | None = None
    """What all answers together took."""
    unit: Unit = "share"
    higher_is_better: bool = True
    reached: Reached | None = None
    """What the suite is worth, where a protocol says it; None: the mean of the items."""
    trained_on: NDArray[np.bool_] | None = None
    """Whether the item stands in the data that led to the model; None: nobody has looked."""

    def __post_init__(self) -> None:
        rows = (
            self.values, self.clusters, self.tokens, self.truncated, self.readable, self.trained_on
        )  # fmt: skip
        if any(row is not None and len(row) != len(self.items) for row in rows):
            raise ValueError(
                f"{self.model} on {self.suite}: not one value for each of {len(self.items)} items"
            )
        if len(set(self.items)) != len(self.items):
            raise ValueError(f"{self.model} on {self.suite}: an item is there twice")


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class SuiteHead(_Row):
    name: str
    title: str
    unit: Unit
    higher_is_better: bool

    @property
    def is_distance(self) -> bool:
        """Whether its values say how far a model is from the first one, which is no merit and no fault."""
        return self.unit == "nats"


class Cell(_Row):
    """One model on one suite. None: not known, or there was nothing to reckon it from."""

    model: str
    suite: str
    n: int
    """Items with a value."""
    missing: int
    """Items without one."""
    mean: float | None
    low: float | None
    high: float | None
    interval: str = ""
    """``wilson``, ``bootstrap``, ``normal`` or ``protocol``."""
    level: float = LEVEL
    """Of the interval."""
    truncated: float | None = None
    """Share of all items, as ``unreadable``."""
    unreadable: float | None = None
    tokens: float | None = None
    """Of an answer, on average."""
    tokens_per_second: float | None = None
    seconds: float | None = None
    """For an answer, on average."""
    trained_on: int | None = None
    """Items that stand in the data that led to the model; None: nobody has looked."""
    without: float | None = None
    """The mean over all other items that have a value, where some do stand there."""


class Change(_Row):
    """What a model is worth beside the baseline, on the items for which both have a value."""

    model: str
    baseline: str
    suite: str
    n: int
    left_out: int
    """Items for which only one of them has a value, or neither."""
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float
    p_adjusted: float
    """By Holm over all changes of the report but distances, of which nothing is claimed."""
    test: str
    won: int
    lost: int
    same: int
    direction: Direction | Literal["apart"]
    """By ``p_adjusted``; ``apart`` of a distance, which is neither better nor worse."""
    more_needed: int | None
    """Where the direction is unknown: about how many items more would tell the difference seen."""


class Macro(_Row):
    """The mean over suites whose values are shares, each counting alike; for a model that has all of them."""

    model: str
    suites: int
    mean: float
    low: float | None
    high: float | None


class Report(_Row):
    version: int = VERSION
    models: list[str]
    """The first is the baseline."""
    suites: list[SuiteHead]
    cells: list[Cell]
    changes: list[Change]
    macros: list[Macro]
    steps: dict[str, int] = {}
    """Of models that are checkpoints of one run: the step at which each was saved."""

    @property
    def baseline(self) -> str:
        return self.models[0]

    def cell(self, model: str, suite: str) -> Cell | None:
        return self._cells.get((model, suite))

    def suite(self, name: str) -> SuiteHead:
        return self._suites[name]

    def change(self, model: str, suite: str) -> Change | None:
        return self._changes.get((model, suite))

    def changes_of(self, model: str) -> list[Change]:
        """In the order of the suites."""
        return [change for change in self.changes if change.model == model]

    @cached_property
    def _cells(self) -> dict[tuple[str, str], Cell]:
        return {(cell.model, cell.suite): cell for cell in self.cells}

    @cached_property
    def _suites(self) -> dict[str, SuiteHead]:
        return {suite.name: suite for suite in self.suites}

    @cached_property
    def _changes(self) -> dict[tuple[str, str], Change]:
        return {(change.model, change.suite): change for change in self.changes}


def report(results: Sequence[Result], steps: Mapping[str, int] | None = None) -> Report:
    """The report of all ``results``, models and suites in their order; the first model is the baseline.

    ``steps``: those of models that are checkpoints. Raises ValueError if there is no result, or two of one model and
    suite.
    """
    by_place = {(result.model, result.suite): result for result in results}
    if not results or len(by_place) < len(results):
        raise ValueError("no result" if not results else "two results of one model and suite")
    models = list(dict.fromkeys(result.model for result in results))
    heads = {result.suite: _head(result) for result in reversed(results)}
    suites = [heads[name] for name in dict.fromkeys(result.suite for result in results)]
    cells = [
        _cell(by_place[model, suite.name])
        for suite in suites
        for model in models
        if (model, suite.name) in by_place
    ]
    pairs = [
        (by_place[models[0], suite.name], by_place[model, suite.name])
        for suite in suites
        for model in models[1:]
        if (models[0], suite.name) in by_place and (model, suite.name) in by_place
    ]
    # A rate of wins is no share of right answers: a mean of both would say nothing.
    judged = {result.suite for result in results if result.reached}
    shares = [suite.name for suite in suites if suite.unit == "share" and suite.name not in judged]
    return Report(
        models=models,
        suites=suites,
        cells=cells,
        changes=_changes(pairs),
        macros=_macros(models, shares, cells),
        steps={model: step for model, step in (steps or {}).items() if model in models},
    )


def _head(result: Result) -> SuiteHead:
    return SuiteHead(
        name=result.suite,
        title=result.title or result.suite,
        unit=result.unit,
        higher_is_better=result.higher_is_better,
    )


def _cell(result: Result) -> Cell:
    kept = ~np.isnan(result.values)
    n, count = int(kept.sum()), len(result.items)
    clusters = _of(result.clusters, np.flatnonzero(kept))
    mean = mean_interval(result.values[kept], clusters) if n and not result.reached else None
    reached = result.reached or mean
    tokens = None if result.tokens is None else result.tokens[~np.isnan(result.tokens)]
    timed = result.seconds if result.seconds and count else None
    return Cell(
        model=result.model,
        suite=result.suite,
        n=n,
        missing=count - n,
        mean=reached and reached.mean,
        low=reached and _known(reached.low),
        high=reached and _known(reached.high),
        interval="protocol" if result.reached else mean.method if mean else "",
        level=result.reached.level if result.reached else LEVEL,
        truncated=_share(result.truncated),
        unreadable=None if result.readable is None else _share(~result.readable),
        tokens=None if tokens is None or not len(tokens) else float(tokens.mean()),
        tokens_per_second=None if tokens is None or timed is None else float(tokens.sum()) / timed,
        seconds=None if timed is None else timed / count,
        trained_on=None if result.trained_on is None else int(result.trained_on.sum()),
        without=_without(result, kept),
    )


def _without(result: Result, kept: NDArray[np.bool_]) -> float | None:
    if result.trained_on is None or not result.trained_on.any():
        return None
    others = result.values[kept & ~result.trained_on]
    return float(others.mean()) if len(others) else None


def _changes(pairs: Sequence[tuple[Result, Result]]) -> list[Change]:
    """Of ``(baseline, other)`` on one suite each."""
    compared = [_compared(before, after) for before, after in pairs]
    claims = [after.unit != "nats" for _, after in pairs]
    adjusted = iter(holm([each.p for (each, _), claim in zip(compared, claims, strict=True) if claim]))
    changes = []
    for (before, after), (comparison, left_out), claim in zip(pairs, compared, claims, strict=True):
        p = next(adjusted) if claim else comparison.p
        direction = comparison.direction(p) if claim else "apart"
        more = comparison.more_needed(sum(claims)) if direction == "unknown" else None
        changes.append(
            Change(
                model=after.model,
                baseline=before.model,
                suite=after.suite,
                n=comparison.n,
                left_out=left_out,
                before=_known(comparison.before),
                after=_known(comparison.after),
                difference=_known(comparison.difference),
                low=_known(comparison.low),
                high=_known(comparison.high),
                p=comparison.p,
                p_adjusted=p,
                test=comparison.test,
                won=comparison.won,
                lost=comparison.lost,
                same=comparison.same,
                direction=direction,
                more_needed=more,
            )
        )
    return changes


def _compared(before: Result, after: Result) -> tuple[Comparison, int]:
    """On the items for which both have a value, and how many were left out."""
    if list(before.items) == list(after.items):
        first = second = np.arange(len(before.items))
    else:
        places = {item: place for place, item in enumerate(after.items)}
        shared = [(place, places[item]) for place, item in enumerate(before.items) if item in places]
        first, second = np.array(shared, dtype=np.int_).reshape(-1, 2).T
    known = ~np.isnan(before.values[first]) & ~np.isnan(after.values[second])
    first, second = first[known], second[known]
    comparison = compare(
        before.values[first],
        after.values[second],
        _of(before.clusters, first),
        higher_is_better=after.higher_is_better,
        margin=MARGINS[after.unit],
    )
    if before.reached and after.reached and before.reached.by_definition:
        comparison = _beside(comparison, before.reached, after.reached)
    either = len(before.items) if before.items == after.items else len({*before.items, *after.items})
    return comparison, either - len(first)


def _beside(comparison: Comparison, baseline: Reached, reached: Reached) -> Comparison:
    """The same in the words of a protocol that compares: a rate at equal length may be another than that of the items.

    Where all went one way its interval gives no p, and that of the items stands.
    """
    p = interval_p(reached.mean, reached.low, reached.high, reached.level, baseline.mean)
    return replace(
        comparison,
        before=baseline.mean,
        after=reached.mean,
        difference=reached.mean - baseline.mean,
        low=reached.low - baseline.mean,
        high=reached.high - baseline.mean,
        p=comparison.p if p is None else p,
        test="protocol",
    )


def _macros(models: Sequence[str], suites: Sequence[str], cells: Sequence[Cell]) -> list[Macro]:
    """Intervals by those of the suites, which are independent of each other (Zou and Donner 2008, "MOVER")."""
    if len(suites) < 2:
        return []
    macros = []
    for model in models:
        of_model = [cell for cell in cells if cell.model == model and cell.suite in suites]
        means = [cell.mean for cell in of_model if cell.mean is not None]
        if len(means) < len(suites):
            continue
        mean = sum(means) / len(means)
        below = _reach([cell.low for cell in of_model], means)
        above = _reach([cell.high for cell in of_model], means)
        macros.append(
            Macro(
                model=model,
                suites=len(means),
                mean=mean,
                low=None if below is None else mean - below,
                high=None if above is None else mean + above,
            )
        )
    return macros


def _reach(ends: Sequence[float | None], means: Sequence[float]) -> float | None:
    """How far the mean of ``means`` may be off on the side of ``ends``; None if one of them is not known."""
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return None
    return math.hypot(*(end - mean for end, mean in zip(known, means, strict=True))) / len(means)


def _of(clusters: Sequence[str] | None, places: NDArray[np.int_]) -> Sequence[str] | None:
    if clusters is None or (len(places) == len(clusters) and (places[1:] > places[:-1]).all()):
        return clusters
    return [clusters[place] for place in places]


def _share(marks: NDArray[np.bool_] | None) -> float | None:
    return None if marks is None or not len(marks) else float(marks.mean())


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
