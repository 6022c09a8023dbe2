"""Charts of a report, as the JSON text that ``static/js/report_charts.js`` draws."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import gradio as gr

from app.i18n import say
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

    def said(key: str, **values: Any) -> str:
        return say(f"reports.{key}", language, **values)

    drawn = [_tokens(report, said), _lengths(report, said), _quality(report, said)]
    drawn += [_languages(report, said), _markers(report, said)]
    return document(drawn, language)


def document(drawn: Iterable[dict[str, Any] | None], language: str) -> str:
    """The charts that there are, as ``static/js/report_charts.js`` reads them."""
    return json.dumps({"charts": [chart for chart in drawn if chart], "words": charts.words(language)})


def _histogram(name: str, spread: Distribution, said: Any, **more: Any) -> dict[str, Any]:
    top = spread.start + len(spread.bars) * spread.width
    median, most = spread.quantiles["0.5"], spread.quantiles["0.95"]
    return {
        "name": name,
        "kind": "histogram",
        "title": said(f"chart_{name}"),
        "note": said("chart_note", median=number(median, 0), most=number(most, 0)),
        "axis": said(f"chart_{name}_axis"),
        "rows": said("rows_unit"),
        "more": said("more_than", n=number(top, 0)),
        "lines": [{"x": median, "label": said("median"), "kind": "median"}],
        **spread.model_dump(include={"start", "width", "bars", "beyond"}),
        **more,
    }


def _tokens(report: Report, said: Any) -> dict[str, Any] | None:
    found = report.tokens
    if found is None or found.tokens is None:
        return None
    spread = found.tokens
    chart = _histogram("tokens", spread, said)
    if found.limit:
        # Beyond all bars it would only make them narrow.
        if found.limit <= spread.start + (len(spread.bars) + 1) * spread.width:
            chart["lines"].append({"x": found.limit, "label": said("limit"), "kind": "limit"})
        chart["limit"] = found.limit
    chart["title"] = said("chart_tokens", model=report.model)
    if found.sampled:
        chart["note"] += " " + said("sampled", n=number(found.counted), rows=number(report.rows))
    return chart


def _lengths(report: Report, said: Any) -> dict[str, Any]:
    if report.sizes.words is not None:
        return _histogram("words", report.sizes.words, said)
    return _histogram("characters", report.sizes.characters, said)


def _quality(report: Report, said: Any) -> dict[str, Any]:
    marks = report.quality.marks
    chart = _histogram("quality", marks, said)
    chart["note"] = said("quality_note", mean=number(marks.mean, 2))
    chart["lines"] = []
    return chart


def _languages(report: Report, said: Any) -> dict[str, Any] | None:
    rows = list(report.languages.rows.items())[:MOST_BARS]
    if len(rows) < 2:
        return None
    names = [code if code else said("language_unknown") for code, _ in rows]
    return {
        "name": "languages",
        "kind": "bars",
        "title": said("chart_languages"),
        "note": said("languages_note"),
        "axis": said("rows_unit"),
        "labels": names,
        "values": [count for _, count in rows],
        "hover": [f"{name}: {number(count)}" for name, (_, count) in zip(names, rows, strict=True)],
    }


def _markers(report: Report, said: Any) -> dict[str, Any] | None:
    if report.pairs is None or not report.pairs.markers:
        return None
    found = report.pairs.markers[:MOST_BARS]
    return {
        "name": "markers",
        "kind": "bars",
        "title": said("chart_markers"),
        "note": said("markers_note"),
        "axis": said("pairs_unit"),
        "labels": [word_shown(marker.word) for marker in found],
        "values": [marker.chosen - marker.rejected for marker in found],
        "hover": [
            said("marker_hover", chosen=number(marker.chosen), rejected=number(marker.rejected))
            for marker in found
        ],
    }


def word_shown(word: str) -> str:
    """``^sure`` is an answer that begins with "sure"."""
    return f"{word[1:]} …" if word.startswith("^") and len(word) > 1 else word
