"""Which drawings a report has, and of what."""

from __future__ import annotations

from functools import partial
from statistics import fmean

from studio_core.evaluation import drawings
from studio_core.evaluation.canvas import SERIES, Drawing
from studio_core.evaluation.drawings import Cost, Figure, Group, Line, Slope, Value, Words
from studio_core.evaluation.report import Cell, Report, SuiteHead, Unit
from studio_core.evaluation.sentences import figure
from studio_core.texts import text

# A triangle is the least that has an area; of more models than there are colours nobody tells one from another.
LEAST_OF_RADAR, MOST_OF_RADAR = 3, len(SERIES)


def charts(report: Report, language: str) -> list[Drawing]:
    """All that the report's figures are enough for."""
    drawn = [_bars(report, unit, language) for unit in dict.fromkeys(suite.unit for suite in report.suites)]
    # Of checkpoints the last: the others are on the lines.
    last = max(report.steps, key=lambda model: report.steps[model], default="")
    after = [model for model in report.models[1:] if model not in report.steps or model == last]
    drawn += [_slopes(report, model, language) for model in after]
    drawn += [_lines(report, language), *(_pareto(report, cost, language) for cost in ("tokens", "seconds"))]
    drawn.append(_radar(report, language))
    return [drawing for drawing in drawn if drawing]


def _words(chart: str, name: str, language: str, **values: str) -> Words:
    note = text(f"evaluation.chart_{chart.split('_')[0]}_note", language, **values)
    return Words(name, text(f"evaluation.chart_{chart}", language), note)


def _figure(unit: Unit) -> Figure:
    return partial(figure, unit=unit)


def _value(cell: Cell | None) -> Value | None:
    return None if cell is None or cell.mean is None else Value(cell.mean, cell.low, cell.high)


def _bars(report: Report, unit: Unit, language: str) -> Drawing | None:
    groups = []
    for suite in report.suites:
        if suite.unit == unit:
            known = {n: _value(report.cell(model, suite.name)) for n, model in enumerate(report.models)}
            groups.append(Group(suite.title, {n: value for n, value in known.items() if value}))
    groups = [group for group in groups if group.values]
    if not groups:
        return None
    words = _words(f"bars_{unit}", f"bars-{unit}", language)
    return drawings.bars(words, report.models, groups, _figure(unit), 1.0 if unit == "share" else None)


def _slopes(report: Report, model: str, language: str) -> Drawing | None:
    rows = [
        Slope(
            report.suite(change.suite).title,
            change.before,
            change.after,
            change.direction,
            # Beside the line there is no room for "too few items to tell".
            text(f"evaluation.slope_{change.direction}", language),
        )
        for change in report.changes_of(model)
        if report.suite(change.suite).unit == "share"
        and change.before is not None
        and change.after is not None
    ]
    if not rows:
        return None
    name = f"slopes-{report.models.index(model)}"
    words = _words("slopes", name, language, baseline=report.baseline, model=model)
    return drawings.slopes(words, (report.baseline, model), rows, _figure("share"))


def _lines(report: Report, language: str) -> Drawing | None:
    steps = sorted(report.steps.items(), key=lambda checkpoint: checkpoint[1])
    rows = []
    for suite in _shares(report):
        known = {step: _value(report.cell(model, suite.name)) for model, step in steps}
        rows.append(Line(suite.title, {step: value for step, value in known.items() if value}))
    rows = [row for row in rows if len(row.points) > 1]
    if not rows:
        return None
    title = text("evaluation.chart_steps", language)
    return drawings.lines(_words("lines", "lines", language), rows, _figure("share"), title)


def _pareto(report: Report, cost: str, language: str) -> Drawing | None:
    """Of the mean over suites, or of the only suite, against the mean of what its answers cost."""
    suites = _shares(report)
    models = []
    for model in report.models:
        cells = [cell for suite in suites if (cell := report.cell(model, suite.name))]
        costs = [spent for cell in cells if (spent := getattr(cell, cost)) is not None]
        macro = next((macro for macro in report.macros if macro.model == model), None)
        value = Value(macro.mean, macro.low, macro.high) if macro else None
        if len(suites) == 1 and cells:
            value = _value(cells[0])
        if value and len(costs) == len(suites):
            models.append(Cost(model, fmean(costs), value))
    if len(models) < 2:
        return None
    words = _words(f"pareto_{cost}", f"pareto-{cost}", language)
    title = text(f"evaluation.chart_{cost}", language)
    written = "{:,.0f}" if cost == "tokens" else "{:,.3g}"
    return drawings.pareto(words, models, _figure("share"), title, written.format)


def _radar(report: Report, language: str) -> Drawing | None:
    suites = _shares(report)
    whole = [
        (model, [cell.mean for cell in cells if cell and cell.mean is not None])
        for model in report.models
        for cells in [[report.cell(model, suite.name) for suite in suites]]
    ]
    series = [(model, values) for model, values in whole if len(values) == len(suites)]
    if len(suites) < LEAST_OF_RADAR or not 1 <= len(series) <= MOST_OF_RADAR:
        return None
    titles = [suite.title for suite in suites]
    return drawings.radar(_words("radar", "radar", language), titles, series, _figure("share"))


def _shares(report: Report) -> list[SuiteHead]:
    return [suite for suite in report.suites if suite.unit == "share"]
