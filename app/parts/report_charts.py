"""Charts of a report, as the JSON text that ``static/js/report_charts.js`` draws."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import gradio as gr

from app.i18n import Phrase, phrases
from app.parts import charts
from app.parts.html import number
from studio_core.reports.document import Report
from studio_core.reports.statistics import Distribution

# What fits a card without labels on top of each other; the most frequent come first.
MOST_BARS = 12


def report_charts(elem_id: str) -> gr.HTML:
    """A place for charts; its value comes from ``payload``."""
    return charts.charts(elem_id, "js/report_charts.js")


def payload(report: Report, language: str) -> str:
    """The component's value."""
    phrase = phrases("reports.", language)
    drawn = [_tokens(report, phrase), _lengths(report, phrase), _quality(report, phrase)]
    drawn += [_languages(report, phrase), _markers(report, phrase)]
    return document(drawn, language)


def document(drawn: Iterable[dict[str, Any] | None], language: str) -> str:
    """The charts that there are, as ``static/js/report_charts.js`` reads them."""
    return json.dumps({"charts": [chart for chart in drawn if chart], "words": charts.words(language)})


def _histogram(name: str, spread: Distribution, phrase: Phrase, **more: Any) -> dict[str, Any]:
    top = spread.start + len(spread.bars) * spread.width
    median, most = spread.quantiles["0.5"], spread.quantiles["0.95"]
    return {
        "name": name,
        "kind": "histogram",
        "title": phrase(f"chart_{name}"),
        "note": phrase("chart_note", median=number(median, 0), most=number(most, 0)),
        "axis": phrase(f"chart_{name}_axis"),
        "rows": phrase("rows_unit"),
        "more": phrase("more_than", n=number(top, 0)),
        "lines": [{"x": median, "label": phrase("median"), "kind": "median"}],
        **spread.model_dump(include={"start", "width", "bars", "beyond"}),
        **more,
    }


def _tokens(report: Report, phrase: Phrase) -> dict[str, Any] | None:
    counts = report.tokens
    if counts is None or counts.tokens is None:
        return None
    spread = counts.tokens
    chart = _histogram("tokens", spread, phrase)
    if counts.limit:
        # Beyond all bars it would only make them narrow.
        if counts.limit <= spread.start + (len(spread.bars) + 1) * spread.width:
            chart["lines"].append({"x": counts.limit, "label": phrase("limit"), "kind": "limit"})
        chart["limit"] = counts.limit
    chart["title"] = phrase("chart_tokens", model=report.model)
    if counts.sampled:
        chart["note"] += " " + phrase("sampled", n=number(counts.counted), rows=number(report.rows))
    return chart


def _lengths(report: Report, phrase: Phrase) -> dict[str, Any]:
    if report.sizes.words is not None:
        return _histogram("words", report.sizes.words, phrase)
    return _histogram("characters", report.sizes.characters, phrase)


def _quality(report: Report, phrase: Phrase) -> dict[str, Any]:
    marks = report.quality.marks
    chart = _histogram("quality", marks, phrase)
    chart["note"] = phrase("quality_note", mean=number(marks.mean, 2))
    chart["lines"] = []
    return chart


def _languages(report: Report, phrase: Phrase) -> dict[str, Any] | None:
    rows = list(report.languages.rows.items())[:MOST_BARS]
    if len(rows) < 2:
        return None
    names = [code if code else phrase("language_unknown") for code, _ in rows]
    return {
        "name": "languages",
        "kind": "bars",
        "title": phrase("chart_languages"),
        "note": phrase("languages_note"),
        "axis": phrase("rows_unit"),
        "labels": names,
        "values": [count for _, count in rows],
        "hover": [f"{name}: {number(count)}" for name, (_, count) in zip(names, rows, strict=True)],
    }


def _markers(report: Report, phrase: Phrase) -> dict[str, Any] | None:
    if report.pairs is None or not report.pairs.markers:
        return None
    markers = report.pairs.markers[:MOST_BARS]
    return {
        "name": "markers",
        "kind": "bars",
        "title": phrase("chart_markers"),
        "note": phrase("markers_note"),
        "axis": phrase("pairs_unit"),
        "labels": [word_shown(marker.word) for marker in markers],
        "values": [marker.chosen - marker.rejected for marker in markers],
        "hover": [
            phrase("marker_hover", chosen=number(marker.chosen), rejected=number(marker.rejected))
            for marker in markers
        ],
    }


def word_shown(word: str) -> str:
    """``^sure`` is an answer that begins with "sure"."""
    return f"{word[1:]} …" if word.startswith("^") and len(word) > 1 else word
