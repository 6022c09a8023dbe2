"""Which datasets a method takes, which could be converted for it, and which one a form goes back to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio_core import methods
from studio_core.base.errors import BadInput
from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.curation import making
from studio_core.data import store, versions
from studio_core.data.naming import LONGEST
from studio_core.data.shapes import Shape
from studio_core.methods import METHODS
from studio_core.methods.base import Method
from studio_core.runs import queue
from studio_core.runs.spec import DataSpec

CONVERT = "convert"
_REMEMBERED = 20
"""Choices that a form goes back to: more than anybody makes before the training starts."""


@dataclass(frozen=True)
class Conversion:
    """A dataset that a method would take in another shape."""

    dataset: Dataset
    to: Shape

    @property
    def result(self) -> str:
        """The name of what it becomes: the dataset itself keeps its name and its newest version."""
        return f"{self.dataset.name[: LONGEST - len(self.to) - 1]}-{self.to}"


def becomes(shape: Shape, wanted: Shape) -> bool:
    """Whether records of a shape can be converted to what a method learns from."""
    if wanted is Shape.UNPAIRED_PREFERENCE and shape not in (
        Shape.PREFERENCE,
        Shape.STEPWISE,
        Shape.SCORED,
    ):
        return False  # Nobody called any of their answers bad.
    from studio_core.curation.convert import (
        conversion,
    )  # With all operations: commands need not wait for them.

    return conversion(shape, wanted) is not None


def way_to(shape: Shape, method: Method) -> Shape | None:
    """The first shape of the method's that records of this one can be converted to."""
    return next((wanted for wanted in method.shapes if becomes(shape, wanted)), None)


def has_answers(shape: str) -> bool:
    """Whether some method learns from the answers of such records, as they are or converted; prompts have none."""
    return any(way_to(Shape(shape), method) for method in METHODS.values() if not method.rewards)


def misfit(method: Method, dataset: Dataset) -> BadInput | None:
    """Why a dataset cannot be used with a method; None if it can."""
    shape = Shape(dataset.shape)
    if shape not in method.shapes:
        to = way_to(shape, method)
        return BadInput(
            "train.shape_convertible" if to else "train.shape_misfit",
            dataset=dataset.name,
            shape=dataset.shape,
            method=method.name.upper(),
            wanted=", ".join(method.shapes),
            to=to or "",
        )
    if dataset.rows == 0:
        return BadInput("train.dataset_empty", dataset=dataset.name)
    return None


def fitting_datasets(studio: Studio, method: str, also: str = "") -> list[tuple[Dataset, BadInput | None]]:
    """Datasets, newest first, each with the reason why it does not fit the method (None: it fits); of those that are
    archived only ``also``."""
    method_ = methods.named(method)
    return [(dataset, misfit(method_, dataset)) for dataset in versions.offered(studio, also)]


def conversions(studio: Studio, method: str) -> list[Conversion]:
    """What could be converted for a method and is not yet: the newest version of each dataset, newest first."""
    method_, there = methods.named(method), store.all_datasets(studio)
    newest = {dataset.name: dataset for dataset in reversed(there)}
    present = {(*one.parents, one.shape) for one in there if one.operation == CONVERT}
    offered = {dataset.id for dataset in versions.offered(studio)}
    ways = []
    for dataset in (one for one in there if one.id in offered):
        shape = Shape(dataset.shape)
        if newest[dataset.name] is not dataset or shape in method_.shapes or not dataset.rows:
            continue
        to = way_to(shape, method_)
        if to is not None and (dataset.id, to) not in present:
            ways.append(Conversion(dataset, to))
    return ways


def convert_for(studio: Studio, dataset: int, method: str) -> Job:
    """Queue the conversion of a dataset to what a method takes; one that is under way is not begun twice."""
    way = next(
        (conversion for conversion in conversions(studio, method) if conversion.dataset.id == dataset), None
    )
    if way is None:
        source = store.get(studio, dataset)
        raise misfit(methods.named(method), source) or BadInput("train.fits_already", dataset=source.name)
    title = f"{way.dataset.name}@{way.dataset.version}"
    # The page has no key for this click: the same conversion under way is the same wish.
    for job in (*queue.waiting(studio), *queue.live(studio)):
        if job.method == CONVERT and job.spec["datasets"] == [title] and job.spec["result"] == way.result:
            return job
    spec = DataSpec(operation=CONVERT, datasets=[title], options={"shape": way.to}, result=way.result)
    return making.submit(studio, spec)


def converted(studio: Studio, job: Job) -> Dataset | None:
    """What a conversion has made; None while it is under way. Raises ``BadInput`` if it made nothing."""
    if job.state not in TERMINAL:
        return None
    if job.method != CONVERT or job.state != State.SUCCEEDED:
        raise BadInput("train.not_converted", job=job.id)
    # Records that were there under the name already are that version, and no row says that this job made them.
    results = versions.of_job(studio, job.id)
    return results[0] if results else versions.get(studio, job.spec["result"])


def remember(earlier: Sequence[str], dataset: str | None) -> list[str]:
    """The datasets that were chosen in a form, newest first, each once."""
    chosen = [dataset] if dataset else []
    return [*chosen, *(name for name in earlier if name != dataset)][:_REMEMBERED]


def returned(chosen: Sequence[str], fitting: Sequence[str]) -> str:
    """The dataset that was chosen last among those that fit; empty if none of them does."""
    return next((name for name in chosen if name in fitting), "")
