"""The items of an evaluation: two models' answers to the same questions beside each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio_core import texts
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Evaluation, Job
from studio_core.evaluation import items_file, results
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.suites import SUITES
from studio_core.suites.judged.protocol import HIGHEST

Values = npt.NDArray[np.float64]


def _better(one: Values, other: Values) -> npt.NDArray[np.bool_]:
    return one > other


FILTERS: dict[str, Callable[[Values, Values], npt.NDArray[np.bool_]]] = {
    "all": lambda before, after: np.ones(len(after), bool),
    "won": lambda before, after: _better(after, before),
    "lost": lambda before, after: _better(before, after),
    "both_wrong": lambda before, after: (before < 1) & (after < 1),
    "both_right": lambda before, after: (before >= 1) & (after >= 1),
    "no_value": lambda before, after: np.isnan(before) | np.isnan(after),
}
"""Which items, by the values of both. For values where lower is better, won and lost change places (``Pair``)."""


@dataclass(frozen=True)
class Pair:
    """Two models on one suite, with the same questions in the same order."""

    studio: Studio
    before: Evaluation
    after: Evaluation
    values: tuple[Values, Values]

    def __len__(self) -> int:
        return len(self.values[0])

    @property
    def higher_is_better(self) -> bool:
        return bool(self.after.figures.get("higher_is_better", True))

    @property
    def best(self) -> float:
        """What a right answer is worth, or the highest score that a judge can give."""
        return HIGHEST if self.after.figures.get("unit") == "score" else 1.0

    def places(self, which: str) -> list[int]:
        """Places from 0 of the items that a filter lets through; raises ``BadInput`` if there is no such filter."""
        if which not in FILTERS:
            raise BadInput("evaluation.no_filter", filter=which[:40], known=", ".join(FILTERS))
        sign = 1.0 if self.higher_is_better else -1.0
        before, after = (sign * each / self.best for each in self.values)
        places: list[int] = np.flatnonzero(FILTERS[which](before, after)).tolist()
        return places

    def counts(self) -> dict[str, int]:
        """How many items each filter lets through."""
        return {which: len(self.places(which)) for which in FILTERS}

    def read(self, places: Sequence[int]) -> Iterator[tuple[AnsweredItem, AnsweredItem]]:
        """Both rows of the items at these places."""
        files = (results.file_of(self.studio, each) for each in (self.before, self.after))
        return zip(*(items_file.read(file, places) for file in files), strict=True)


def pair(studio: Studio, job: Job, suite: str = "", model: str = "", against: str = "") -> Pair:
    """Two models of one evaluation; by default its last against its first. Raises what is not there."""
    reached = results.of_job(studio, job.id)
    if not reached:
        raise NotFound("evaluation.no_results", job=job.id, state=job.state)
    suite = suite or reached[0].suite
    names = [each.model for each in reached if each.suite == suite]
    if not names:
        known = ", ".join(dict.fromkeys(each.suite for each in reached))
        raise NotFound("evaluation.suite_not_in", job=job.id, suite=suite, known=known)
    wanted = [name for name in job.spec["models"] if name in names]
    before = _named(reached, suite, against or wanted[0], names)
    after = _named(reached, suite, model or wanted[-1], names)
    values = [items_file.values(results.file_of(studio, each)) for each in (before, after)]
    return Pair(studio, before, after, (values[0], values[1]))


def _named(reached: Sequence[Evaluation], suite: str, model: str, names: Sequence[str]) -> Evaluation:
    for each in reached:
        if (each.suite, each.model) == (suite, model):
            return each
    raise NotFound("evaluation.model_not_in", suite=suite, model=model, known=", ".join(names))


def reason(row: AnsweredItem, language: str = texts.DEFAULT_LANGUAGE) -> str:
    """Why a row has its value, as a sentence."""
    return texts.text(f"suites.reasons.{row.reason}", language, **row.reason_values) if row.reason else ""


def title(suite: str, language: str = texts.DEFAULT_LANGUAGE) -> str:
    """A suite as the page calls it; a test set goes by its own name."""
    return texts.text(SUITES[suite].title_key, language) if suite in SUITES else suite
