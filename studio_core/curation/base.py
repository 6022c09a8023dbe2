"""What an operation on data is: the datasets it takes, its options, and what it does with their records.

An operation's options are one pydantic class, as those of a method are: from it come the form, the
command line, the validation and the documentation. Texts are ``curation.<operation>``, ``....help``,
``curation.<operation>.<option>`` and ``....help``.

Workers import this: no database here, and no torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from studio_core.data import parquet
from studio_core.data.shapes import Record, Shape, further_columns
from studio_core.options import Part
from studio_core.reports.features import features_path
from studio_core.runs.spec import ResolvedDataset, ResolvedModel

Group = Literal["clean", "choose", "reshape", "models"]
"""Kinds of operation, as a page lists them: make records better, pick some, make others of them, ask models."""


class OperationOptions(BaseModel):
    """Field order is form order. Fields are made by ``studio_core.options.option``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


BATCH = 500
"""Records in one batch: few enough that long ones fit in memory."""


@dataclass(frozen=True)
class Source:
    """One version that an operation takes."""

    id: int
    name: str
    version: int
    shape: Shape
    rows: int
    path: Path
    features: Path | None = None
    """What its report knows of each record (``studio_core.reports.features``), if there is one."""

    @classmethod
    def of(cls, dataset: ResolvedDataset) -> Source:
        path = Path(dataset.path)
        features = features_path(path)
        return cls(
            id=dataset.id,
            name=dataset.name,
            version=dataset.version,
            shape=Shape(dataset.shape),
            rows=dataset.rows,
            path=path,
            features=features if features.is_file() else None,
        )

    @property
    def title(self) -> str:
        return f"{self.name}@{self.version}"

    def records(self) -> Iterator[Record]:
        return parquet.read(self.path)

    @property
    def kept(self) -> list[str]:
        """Columns that its records have beyond those of the shape."""
        return further_columns(self.shape, pq.read_schema(self.path).names)


class Stopped(Exception):
    """The user asked to stop before there was anything to keep."""


@dataclass
class Output:
    """A new version while its records are written: a partial file in the job's folder."""

    path: Path
    shape: Shape
    keep: list[str]
    suffix: str
    """Added to the name of the result, such as ``-train``; empty for the only or the main one."""
    described: dict[str, Any] = field(default_factory=dict)
    """What else is known of it: ``name``, ``source``, ``mapping``, ``rejected``, ``rejected_count``."""

    def __post_init__(self) -> None:
        self._file = open(self.path, "w+b")  # noqa: SIM115 - close() or abandon() follows
        self._writer = parquet.Writer(self._file, self.shape, self.keep)

    def add(self, record: Record, row: int = 0) -> None:
        """``row`` of the source that it was made of, for who wants to compare."""
        self._writer.add(record)

    def close(self) -> dict[str, Any]:
        """Complete the file; what the engine needs to register it."""
        sha256 = self._writer.close()
        self._file.flush()
        # The engine registers it by its hash as soon as the worker has ended; a power cut must not take it back.
        os.fsync(self._file.fileno())
        self._file.close()
        return {
            **self.described,
            "file": self.path.name,
            "suffix": self.suffix,
            "shape": self.shape.value,
            "rows": self._writer.rows,
            "sha256": sha256,
        }

    def abandon(self) -> None:
        self._writer.abandon()
        self._file.close()
        self.path.unlink(missing_ok=True)


def model_keys(option: str, named: str | list[str]) -> dict[str, str]:
    """Where the models that an option names stand among those of a job: the first under the option's own name."""
    names = [named] if isinstance(named, str) else named
    return {option if place == 1 else f"{option}.{place}": name for place, name in enumerate(names, start=1)}


@dataclass
class Work:
    """What an operation works with: it reads ``sources``, writes to outputs, counts and reports."""

    folder: Path
    """The job's folder: what must survive a stop, such as answers received so far, is kept in it."""
    sources: list[Source]
    seed: int
    report: Callable[[int, int | None, dict[str, float]], None]
    """``(records done, records in all, figures)``, as often as one likes: it is passed on now and then."""
    stopping: Callable[[], bool]
    """Whether the user asked to stop: what is done so far then becomes the result."""
    models: dict[str, ResolvedModel] = field(default_factory=dict)
    """Models that the options name, by ``model_keys``."""
    services: Path | None = None
    answers: Path | None = None
    resumed: Path | None = None
    """Folder of the job that this one goes on from."""
    counts: dict[str, int] = field(default_factory=dict)
    """What came of the records, such as ``{"kept": 90, "dropped": 10}``: shown with the new version."""
    details: dict[str, Any] = field(default_factory=dict)
    """What else is worth keeping of how it went: a distribution, a cost."""
    outputs: list[Output] = field(default_factory=list)
    document: str = ""
    """File in ``folder`` with the report on the first source, if that is what was asked for."""
    side_files: dict[str, str] = field(default_factory=dict)
    """``{file in folder: what}``: to be kept beside the first source as ``<sha256>.<what>``."""
    tell: Callable[..., None] = lambda *_, **__: None
    """``(type, **fields)``: an event beyond progress, such as an item to be judged."""
    passes: int = 1
    """How often the records are gone through."""
    _passed: int = 0

    @property
    def source(self) -> Source:
        return self.sources[0]

    def models_of(self, option: str) -> list[ResolvedModel]:
        """All models that an option names, in its order."""
        return [model for key, model in self.models.items() if key.partition(".")[0] == option]

    def output(self, shape: Shape | None = None, keep: list[str] | None = None, suffix: str = "") -> Output:
        """Begin a new version: of the source's shape and columns, unless others are given."""
        output = Output(
            self.folder / f"output-{len(self.outputs)}.parquet",
            shape or self.source.shape,
            self.source.kept if keep is None else keep,
            suffix,
        )
        self.outputs.append(output)
        return output

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + by

    def drop(self, reason: str, by: int = 1) -> None:
        """Count a record that is left out. Reasons are texts: ``curation.reason.<reason>``, or findings."""
        self.count("dropped", by)
        reasons = self.details.setdefault("reasons", {})
        reasons[reason] = reasons.get(reason, 0) + by

    def each(self, source: Source | None = None) -> Iterator[tuple[int, Record]]:
        """``(row, record)`` of a source (the first one), with progress; ends early when asked to stop."""
        source = source or self.source
        for row, record in enumerate(source.records(), start=1):
            if self.stopping():
                return
            yield row, record
            self.report(self._passed * source.rows + row, self.passes * source.rows, {})
        self._passed += 1

    def go_on(self) -> None:
        """Raise ``Stopped`` if asked to stop: for what is of no use half done."""
        if self.stopping():
            raise Stopped

    def batches(self, source: Source | None = None) -> Iterator[list[tuple[int, Record]]]:
        """The same, some at a time, for what is faster that way."""
        each = self.each(source)
        while batch := list(islice(each, BATCH)):
            yield batch


@dataclass(frozen=True)
class Operation(Part):
    name: str
    Options: type[OperationOptions]
    shapes: tuple[Shape, ...] = tuple(Shape)
    """Shapes of record that it takes."""
    run: Callable[[Work, Any], None] | None = None
    """None: a model is needed, and ``jobs.curation.<name>`` does it."""
    several: bool = False
    """It takes any number of datasets, not just one."""
    needs_model: Callable[[Any], bool] = lambda options: False
    """Whether, with these options, a model is loaded on a device."""
    models: tuple[str, ...] = ()
    """Options that name a model of the studio; an empty one names none."""
    services: tuple[str, ...] = ()
    """Options that name a service; an empty one names none."""
    by_record: bool = True
    """It judges or changes each record by itself: the first ones tell what it does."""
    expects: Callable[[list[Source], Any], dict[str, int]] | None = None
    """Its counts, where they are known beforehand."""
    group: Group = "models"
    """Where a page lists it."""
    area: str = "curation"
    """Of the catalogue: where its texts are."""

    @property
    def title_key(self) -> str:
        return f"{self.area}.{self.name}"


def validated(operation: Operation, given: dict[str, Any]) -> OperationOptions:
    """The options of a job; raises ``BadInput`` that quotes the option, its value and its range."""
    options: OperationOptions = operation.checked(given)
    return options
