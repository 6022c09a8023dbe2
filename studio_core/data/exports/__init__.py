"""Datasets as files for other programs: a layout says what a row is, a format how it is written.

What a layout or a format cannot hold is found and counted before anything is written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from studio_core import texts
from studio_core.base.errors import BadInput
from studio_core.data import parquet
from studio_core.data.checks import converter
from studio_core.data.columns import columns_of
from studio_core.data.exports import writers
from studio_core.data.exports.layouts import (
    FORMATS,
    LAYOUTS,
    Form,
    Layout,
    Row,
    as_templates_take_it,
    layouts_for,
)
from studio_core.data.exports.tools import Unfit, as_json
from studio_core.data.exports.writers import Table
from studio_core.data.guesses import guess
from studio_core.data.mapping import TURN_PARTS, Mapping
from studio_core.data.shapes import Record, Shape, further_columns
from studio_core.data.turns import Rejected

__all__ = [
    "FORMATS",
    "LAYOUTS",
    "Fit",
    "Layout",
    "LeftOut",
    "Plan",
    "describe_fit",
    "fit",
    "layouts_for",
    "plan",
    "reasons",
    "unknown_format",
    "write",
]

LISTED = 100
"""Rows of each kind that are named; more are only counted."""

# Rows that show what is recognised and how large the file will be, in a moment.
_LOOKED_AT = 200


@dataclass
class Rows:
    """How many rows, and the first of them."""

    n: int = 0
    rows: list[int] = field(default_factory=list)

    def add(self, row: int) -> None:
        self.n += 1
        if len(self.rows) < LISTED:
            self.rows.append(row)

    @property
    def named(self) -> str:
        """The first few of them."""
        # Five fit into a sentence.
        return ", ".join(map(str, self.rows[:5])) + (", …" if self.n > 5 else "")

    def document(self) -> dict[str, Any]:
        return {"n": self.n, "rows": self.rows}


@dataclass
class Fit:
    """What a version becomes in a layout and a format."""

    layout: str
    format: str
    shape: Shape
    becomes: Shape
    """Its shape when it is read back."""
    rows: int = 0
    """Rows that are written."""
    left_out: dict[str, Rows] = field(default_factory=dict)
    """Rows that the layout or the format cannot hold, by reason: ``exports.unfit_<reason>``."""
    changed: Rows = field(default_factory=Rows)
    """Rows that this studio would read back otherwise than they are."""
    recognised: bool = True
    """Whether the file is taken for what it is when it is imported without a mapping."""
    mapping: dict[str, Any] = field(default_factory=dict)
    """The mapping that reads it back."""
    sample: str = ""
    """The first row as it is written."""
    bytes: int = 0
    """Size of the file, estimated from its first rows."""
    first: int | None = None
    """Only so many rows were looked at; None: all."""

    @property
    def lost(self) -> int:
        return sum(rows.n for rows in self.left_out.values())

    def written(self) -> dict[str, Any]:
        """What is known when the file is written."""
        return {
            "layout": self.layout,
            "format": self.format,
            "shape": self.shape.value,
            "becomes": self.becomes.value,
            "rows": self.rows,
            "left_out": {code: rows.document() for code, rows in self.left_out.items()},
        }

    def document(self) -> dict[str, Any]:
        """The same, and what only a look can tell."""
        return {
            **self.written(),
            "changed": self.changed.document(),
            "recognised": self.recognised,
            "mapping": self.mapping,
        }


@dataclass(frozen=True)
class Plan:
    """A version on its way into a file."""

    stored: Path
    shape: Shape
    layout: Layout
    format: str
    form: Form
    kept: list[str]
    """Further columns of prompt-only records, which stay as they are."""

    def rows(self, left_out: dict[str, Rows], limit: int | None = None) -> Iterator[tuple[int, Record, Row]]:
        """Number, record and row of what can be held; the others are counted."""
        prepared = writers.row_converter(self.format, self.table)
        for number, record in enumerate(parquet.read(self.stored, limit=limit), start=1):
            try:
                row = prepared(self.form.row(record))
            except Unfit as unfit:
                left_out.setdefault(unfit.code, Rows()).add(number)
                continue
            yield number, record, row

    def nothing(self) -> Fit:
        return Fit(self.layout.name, self.format, self.shape, self.form.becomes)

    def mapping(self, columns: Sequence[str]) -> Mapping:
        """The mapping that reads rows with these columns back."""
        parts = {part: column for part, column in self.form.parts.items() if column in columns}
        written = (
            [part for part in TURN_PARTS if part in parts and part not in self.table.single]
            if self.layout.name == "trl" and self.format == "csv"
            else []
        )
        return Mapping(shape=self.form.becomes, columns=parts, keep=self.kept, turns_in_text=written)

    @cached_property
    def table(self) -> Table:
        columns = dict(self.form.columns)
        single: set[str] = set()
        if self.layout.name == "trl":
            columns |= as_templates_take_it(self.shape, self.optional)
            asked = [name for name in columns if self.format == "csv" and name in writers.ROLES]
            single = {n for n in asked if parquet.single_turns(self.stored, n, writers.ROLES[n])}
        kept = frozenset(self.kept)
        return Table({**columns, **dict.fromkeys(self.kept, parquet.TEXT)}, kept, frozenset(single))

    @cached_property
    def optional(self) -> list[str]:
        """What messages of this version have beyond role and content, and ``tools``."""
        return parquet.optional(self.stored)

    @property
    def whole(self) -> bool:
        """Whether everything can be held as it is, whatever the records say."""
        # Then nothing has to be read to know that all fits.
        return self.layout.name == "trl" and self.format != "csv" and not self.optional


def plan(stored: Path, shape: Shape, layout: str, format: str) -> Plan:
    """How a version goes into a file; raises what stands in the way whatever its records say."""
    if format not in FORMATS:
        raise unknown_format(format)
    chosen = LAYOUTS.get(layout)
    if chosen is None:
        raise BadInput("exports.layout_unknown", layout=layout[:40], layouts=", ".join(LAYOUTS))
    if shape not in chosen.forms:
        fitting = ", ".join(one.name for one in layouts_for(shape))
        raise BadInput("exports.layout_shape", layout=layout, shape=shape.value, layouts=fitting)
    if format not in chosen.formats:
        raise BadInput(
            "exports.layout_format", layout=layout, format=format, formats=", ".join(chosen.formats)
        )
    form = chosen.forms[shape]
    kept = further_columns(shape, parquet.columns(stored))
    # A column of a person's that has the name of one of the layout's would be overwritten by it.
    for name in kept:
        if name in form.columns or (format == "csv" and not writers.heading_holds(name)):
            raise BadInput("exports.column_name", column=name[:80], layout=layout, format=format)
    return Plan(stored, shape, chosen, format, form, kept)


def unknown_format(format: str) -> BadInput:
    return BadInput("data.export_format", format=format[:40], formats=", ".join(FORMATS))


def write(plan: Plan, target: Path, *, skip: bool = False) -> Fit:
    """Write the file; ``target`` appears when it is whole.

    Rows that cannot be held are left out with ``skip``; without, they raise and nothing is written.
    """
    found = plan.nothing()
    # Beside the target, since a rename does not cross file systems.
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".partial", dir=target.parent)
    os.close(descriptor)
    partial = Path(name)
    try:
        if plan.whole and plan.format == "parquet":
            found.rows = writers.copy_stored(plan.stored, partial)
        else:
            rows = (row for _, _, row in plan.rows(found.left_out))
            found.rows = writers.WRITERS[plan.format](partial, plan.table, rows)
        # An empty file is nobody's wish, with ``skip`` neither.
        if found.left_out and not (skip and found.rows):
            raise LeftOut(found)
        found.bytes = partial.stat().st_size
        # mkstemp's are for the owner only; what was exported is for others to read.
        partial.chmod(0o644)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return found


class LeftOut(BadInput):
    """Records do not fit; nothing was written."""

    def __init__(self, fit: Fit) -> None:
        self.fit = fit
        key = "exports.left_out" if fit.rows else "exports.nothing_fits"
        rows = fit.lost + fit.rows
        super().__init__(key, n=fit.lost, rows=rows, layout=fit.layout, format=fit.format, reasons="")

    def sentence(self, language: str = texts.DEFAULT_LANGUAGE) -> str:
        return texts.text(self.key, language, **{**self.values, "reasons": reasons(self.fit, language)})


def reasons(fit: Fit, language: str = texts.DEFAULT_LANGUAGE) -> str:
    """Why records are left out, how many for each reason, and which."""
    said = (
        texts.text(
            "exports.left_out_reason",
            language,
            n=f"{rows.n:,}",
            reason=texts.text(f"exports.unfit_{code}", language),
            rows=rows.named,
        )
        for code, rows in fit.left_out.items()
    )
    return "; ".join(said)


def describe_fit(fit: Fit, language: str = texts.DEFAULT_LANGUAGE) -> list[str]:
    """Sentences about what fits, what is left out, and what is to be known when it is read back."""

    def sentence(key: str, **values: Any) -> str:
        return texts.text(f"exports.{key}", language, **values)

    n, rows = f"{fit.lost:,}", f"{fit.lost + fit.rows:,}"
    sentences = [
        sentence("some_fit", n=n, rows=rows, reasons=reasons(fit, language))
        if fit.lost
        else sentence("all_fit", rows=rows)
    ]
    if fit.becomes is not fit.shape:
        sentences.append(sentence("becomes", shape=fit.becomes.value, before=fit.shape.value))
    if fit.changed.n:
        sentences.append(sentence("changed", n=f"{fit.changed.n:,}", rows=fit.changed.named))
    if not fit.recognised:
        sentences.append(sentence("not_recognised", mapping=as_json(fit.mapping)))
    return sentences


def fit(plan: Plan, limit: int | None = None) -> Fit:
    """What the file will hold, and what not; of the first ``limit`` rows only, if it is given."""
    found = plan.nothing()
    read = writers.as_read(plan.format)
    convert = converter(plan.mapping([*plan.form.parts.values()]))
    first: list[Row] = []
    for number, record, row in plan.rows(found.left_out, limit):
        found.rows += 1
        if len(first) < _LOOKED_AT:
            first.append(row)
        elif plan.whole:
            found.rows = parquet.rows(plan.stored) if limit is None else limit
            break
        # Each row is read back as an import would: nothing is promised that was not tried.
        if not plan.whole and not _comes_back(convert, read(row), plan.form.back(record)):
            found.changed.add(number)
    found.first = limit if limit is not None and limit < parquet.rows(plan.stored) else None
    rows = [read(row) for row in first]
    columns = columns_of(rows)
    mapping = plan.mapping(columns)
    found.mapping = mapping.model_dump(mode="json", exclude_defaults=True)
    found.recognised = not rows or guess(columns, rows).mapping == mapping
    found.sample, size = writers.sample(plan.format, plan.table, first)
    copied = plan.whole and plan.format == "parquet" and found.first is None
    # At least 1 row, or nothing would be divided by nothing.
    found.bytes = plan.stored.stat().st_size if copied else round(size * found.rows / max(1, len(first)))
    return found


def _comes_back(convert: Callable[[Row], Record], row: Row, record: Record) -> bool:
    try:
        return convert(row) == record
    except Rejected:
        return False
