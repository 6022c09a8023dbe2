"""A report as files to keep and to share: tables (CSV), data (JSON), drawings (SVG) and one page (HTML) of it all."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

from studio_core.data.cells import escape_formula
from studio_core.evaluation.charts import charts
from studio_core.evaluation.page import page
from studio_core.evaluation.report import Cell, Change, Report, Result

CELLS = ("n", "missing", "mean", "low", "high", "interval", "truncated", "unreadable", "tokens")
SPEEDS = ("tokens_per_second", "seconds")
CHANGES = (
    "baseline",
    "difference",
    "p",
    "p_adjusted",
    "test",
    "won",
    "lost",
    "same",
    "direction",
    "more_needed",
)


def files(report: Report, language: str, results: Sequence[Result] = ()) -> dict[str, str]:
    """All of them by name, as text; with a line for each item if ``results`` are given."""
    written = {
        "report.html": page(report, language),
        "report.json": report.model_dump_json(indent=1),
        "report.csv": cells_csv(report),
    }
    if results:
        written["items.csv"] = items_csv(results)
    for drawing in charts(report, language):
        written[f"{drawing.name}.svg"] = drawing.svg(standalone=True)
    return written


def cells_csv(report: Report) -> str:
    """A line for each model and suite, with what it is worth beside the baseline."""
    heads = ["model", "suite", "unit", *CELLS, *SPEEDS, *CHANGES, "change_n", "change_low", "change_high"]
    rows = [heads]
    for cell in report.cells:
        change = report.change(cell.model, cell.suite)
        rows.append([cell.model, cell.suite, report.suite(cell.suite).unit, *_cell(cell), *_change(change)])
    return _csv(rows)


def _cell(cell: Cell) -> list[Any]:
    return [getattr(cell, name) for name in (*CELLS, *SPEEDS)]


def _change(change: Change | None) -> list[Any]:
    return [getattr(change, name, None) for name in (*CHANGES, "n", "low", "high")]


def items_csv(results: Iterable[Result]) -> str:
    """A line for each item and model: the values from which all else is reckoned."""
    rows: list[Sequence[Any]] = [
        ("model", "suite", "item", "cluster", "value", "tokens", "truncated", "readable")
    ]
    for result in results:
        columns = [
            [None] * len(result.items) if column is None else list(column)
            for column in (result.clusters, result.values, result.tokens, result.truncated, result.readable)
        ]
        rows += [
            (result.model, result.suite, item, *values)
            for item, *values in zip(result.items, *columns, strict=True)
        ]
    return _csv(rows)


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    file = io.StringIO()
    # A mark by which table programs know that it is UTF-8.
    file.write("\ufeff")
    csv.writer(file).writerows([_field(value) for value in row] for row in rows)
    return file.getvalue()


def _field(value: Any) -> Any:
    """Empty for what is not known."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return escape_formula(value) if isinstance(value, str) else value
