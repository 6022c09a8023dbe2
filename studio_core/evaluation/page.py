"""A report as one page that needs nothing else: no address, no script, light and dark as the system is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from markupsafe import Markup

from studio_core.base.settings import bundled_folder
from studio_core.evaluation.canvas import Drawing, join, markup, palette
from studio_core.evaluation.charts import charts
from studio_core.evaluation.report import MARGINS, Cell, Change, Report, SuiteHead
from studio_core.evaluation.sentences import (
    change_words,
    difference,
    figure,
    from_to,
    p_value,
    rough,
    verdict,
)
from studio_core.statistics.winrate import LEVEL
from studio_core.texts import text

# No part of a saved page may ask anybody for anything.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
# Before the word, so that neither colour nor language is needed.
_SIGNS = {"better": "▲", "worse": "▼", "same": "=", "unknown": "?", "apart": "↔"}

_STYLE = Markup("""
*{box-sizing:border-box}
body{margin:0 auto;max-width:1240px;padding:32px 24px 64px;background:var(--ts-bg);color:var(--ts-text);
font:15px/1.5 "IBM Plex Sans","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",system-ui,sans-serif}
h1{margin:0;font-size:26px}
@media (max-width:760px){body{padding:20px 12px 40px}}
@media print{body{background:none}}
""")
"""Of the document. What is in it looks as on the studio's page, by the same sheet."""


@cache
def _sheet() -> Markup:
    return Markup((bundled_folder() / "css" / "evaluate.css").read_text(encoding="utf-8"))


def page(report: Report, language: str) -> str:
    """The whole document; every name and number in it is escaped."""

    def say(key: str, **values: Any) -> str:
        return text(f"evaluation.{key}", language, **values)

    lead = say(
        "report_lead",
        models=len(report.models),
        suites=len(report.suites),
        answers=f"{sum(cell.n + cell.missing for cell in report.cells):,}",
        baseline=report.baseline,
    )
    title = markup("<h1>{}</h1><p class=muted>{}</p>", say("report_title"), lead)
    head = markup(
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="{}"><title>{}</title><style>{}{}{}</style>',
        _POLICY,
        say("report_title"),
        palette(),
        _STYLE,
        _sheet(),
    )
    return markup(
        '<!doctype html><html lang="{}"><head>{}</head><body><div id="ts-content"><main class="ts-report">{}{}</main>'
        "</div></body></html>\n",
        language,
        head,
        title,
        body(report, language),
    )


def body(
    report: Report, language: str, tools: Callable[[Drawing], Markup] = lambda drawing: Markup()
) -> Markup:
    """What the document says, to stand on a page of the studio within ``.ts-report``.

    ``tools``: what stands below a drawing, such as a way to save it.
    """
    drawn = [
        markup("<figure>{}{}</figure>", drawing.svg(), tools(drawing)) for drawing in charts(report, language)
    ]
    named = text("evaluation.charts", language)
    parts = [
        _verdicts(report, language),
        _scores(report, language),
        _changes(report, language),
        markup('<h2>{}</h2><div class="charts">{}</div>', named, join(drawn)),
        _how(language),
    ]
    return join(parts)


def _verdicts(report: Report, language: str) -> Markup:
    rows = []
    for model in report.models[1:] or report.models:
        changes = report.changes_of(model)
        words = [change_words(report, change, language) for change in changes] or [
            verdict(report, model, language)
        ]
        listed = join([markup("<li>{}</li>", line) for line in words])
        rows.append(markup("<li><strong>{}</strong><ul>{}</ul></li>", model, listed))
    return markup(
        '<h2>{}</h2><ul class="verdicts">{}</ul>', text("evaluation.verdicts", language), join(rows)
    )


def _scores(report: Report, language: str) -> Markup:
    """Suites down, models across."""
    title, note, suite = (text(f"evaluation.{key}", language) for key in ("scores", "scores_note", "suite"))
    rows = []
    for row in report.suites:
        cells = [(model, report.cell(model, row.name)) for model in report.models]
        columns = [_column(model, _score(cell, row, language) if cell else "–") for model, cell in cells]
        rows.append(markup("<tr>{}{}</tr>", _suite(row, language), join(columns)))
    if report.macros:
        known = {macro.model: macro for macro in report.macros}
        columns = []
        for model in report.models:
            macro = known.get(model)
            mean = _mean(macro.mean, macro.low, macro.high, "share", language) if macro else Markup("–")
            columns.append(_column(model, mean))
        name = text("evaluation.macro", language, n=report.macros[0].suites)
        rows.append(markup("<tr><th scope=row>{}</th>{}</tr>", name, join(columns)))
    return markup(
        "<h2>{}</h2><p class=muted>{}</p>{}",
        title,
        note,
        _table((suite, *report.models), rows),
    )


def _table(heads: Sequence[str], rows: Sequence[Markup]) -> Markup:
    """Rolls sideways by itself, also by the keyboard, where it is wider than the window."""
    head = join([markup("<th scope=col>{}</th>", name) for name in heads])
    return markup(
        '<div class="table" tabindex="0"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        head,
        join(rows),
    )


def _suite(suite: SuiteHead, language: str) -> Markup:
    # Of a share its sign says so.
    notes = [] if suite.unit == "share" else [text(f"evaluation.unit_{suite.unit}", language)]
    if not (suite.higher_is_better or suite.is_distance):
        notes.append(text("evaluation.lower_is_better", language))
    return markup("<th scope=row>{}<small>{}</small></th>", suite.title, " · ".join(notes))


def _column(head: str, value: str | Markup, figure: bool = False) -> Markup:
    """A cell; where the window is narrow its row is a card, and the heading stands beside the value."""
    kind = Markup(' class="figure"') if figure else Markup()
    return markup('<td data-label="{}"{}><div>{}</div></td>', head, kind, value)


def _mean(mean: float, low: float | None, high: float | None, unit: Any, language: str) -> Markup:
    interval = Markup()
    if low is not None and high is not None:
        words = text("evaluation.interval", language, low=figure(low, unit), high=figure(high, unit))
        interval = markup("<small>{}</small>", words)
    return markup("<strong>{}</strong>{}", figure(mean, unit), interval)


def _score(cell: Cell, suite: SuiteHead, language: str) -> Markup:
    def say(key: str, **values: Any) -> str:
        return text(f"evaluation.{key}", language, **values)

    notes = [say("items_n", n=f"{cell.n:,}")]
    if cell.level != LEVEL:
        notes.append(say("level_n", level=f"{cell.level:.0%}"))
    if cell.missing:
        notes.append(say("missing_n", n=f"{cell.missing:,}"))
    for key, share in (("truncated_n", cell.truncated), ("unreadable_n", cell.unreadable)):
        if share is not None:
            notes.append(say(key, share=figure(share, "share")))
    if cell.trained_on:
        notes.append(say("trained_on_n", n=f"{cell.trained_on:,}", without=figure(cell.without, suite.unit)))
    if cell.tokens is not None:
        notes.append(say("tokens_n", n=f"{cell.tokens:,.0f}"))
    if cell.tokens_per_second is not None:
        notes.append(say("speed_n", n=f"{cell.tokens_per_second:,.0f}"))
    mean = Markup("–") if cell.mean is None else _mean(cell.mean, cell.low, cell.high, suite.unit, language)
    # A line ends between two of them.
    shown = Markup(" · ").join(markup('<span class="note">{}</span>', note) for note in notes)
    return markup("{}<small>{}</small>", mean, shown)


def _changes(report: Report, language: str) -> Markup:
    if not report.changes:
        return Markup()

    def say(key: str, **values: Any) -> str:
        return text(f"evaluation.{key}", language, **values)

    heads = [say(key) for key in ("suite", "model", "result", "change", "difference", "p", "won_lost")]
    rows = []
    for change in report.changes:
        suite = report.suite(change.suite)
        values = (
            change.model,
            _result(change, language),
            from_to(change, suite.unit, language),
            _difference(change, suite, language),
            *(
                ("–", "–")
                if suite.is_distance
                else (p_value(change.p_adjusted).removeprefix("= "), f"{change.won:,} / {change.lost:,}")
            ),
        )
        columns = [
            _column(head, value, figure=place >= 2)
            for place, (head, value) in enumerate(zip(heads[1:], values, strict=True))
        ]
        rows.append(markup("<tr><th scope=row>{}</th>{}</tr>", suite.title, join(columns)))
    return markup(
        "<h2>{}</h2><p class=muted>{}</p>{}",
        say("changes", baseline=report.baseline),
        say("changes_note", n=sum(change.direction != "apart" for change in report.changes)),
        _table(heads, rows),
    )


def _result(change: Change, language: str) -> Markup:
    words = text(f"evaluation.direction_{change.direction}", language)
    notes = []
    if change.more_needed is not None:
        notes.append(text("evaluation.more_needed", language, n=rough(change.more_needed)))
    if change.left_out:
        notes.append(text("evaluation.left_out", language, n=f"{change.left_out:,}"))
    return markup(
        '<span class="kind {}">{} {}</span>{}',
        change.direction,
        _SIGNS[change.direction],
        words,
        join([markup("<small>{}</small>", note) for note in notes]),
    )


def _difference(change: Change, suite: SuiteHead, language: str) -> Markup:
    low, high = (difference(end, suite.unit) for end in (change.low, change.high))
    shown = difference(change.difference, suite.unit)
    return markup(
        "{}<small>{}</small>",
        text("evaluation.points", language, n=shown) if suite.unit == "share" else shown,
        text("evaluation.interval", language, low=low, high=high),
    )


def _how(language: str) -> Markup:
    margins: dict[str, Any] = {unit: MARGINS[unit] for unit in ("bits", "score")}
    margins["margin"] = f"{100 * MARGINS['share']:.0f}"
    lines = [text(f"evaluation.how_{key}", language) for key in ("intervals", "tests", "more")]
    lines.insert(2, text("evaluation.how_same", language, **margins))
    paragraphs = join([markup("<p>{}</p>", line) for line in lines])
    return markup('<h2>{}</h2><div class="how">{}</div>', text("evaluation.how", language), paragraphs)
