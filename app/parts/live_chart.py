"""Charts of a run that grow while one looks at them, and keep their zoom.

A remounted plot would lose its zoom at every update. So the component's value is JSON
text which ``static/js/live_chart.js`` reads: everything once, then new points only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

from app.i18n import say
from app.parts import charts
from studio_core import texts
from studio_core.methods.base import Chart
from studio_core.methods.questions import by_question
from studio_core.runs.outline import Lines, thin

LIMIT = 1_500
"""Most points of one line that are sent at once."""

_CONTROLS = """
<div class="ts-smoothing">
  <label><input type="checkbox" data-sets="logX"> <span data-word="log_x"></span></label>
  <label><input type="checkbox" data-sets="clip"> <span data-word="clip"></span></label>
  <label><span data-word="smoothing"></span> <input type="range" min="0" max="0.98" step="0.02" value="0">
    <output></output></label>
</div>
"""


def live_chart(elem_id: str) -> gr.HTML:
    """An empty set of charts; its value comes from ``payload``."""
    return charts.charts(elem_id, "js/live_chart.js", _CONTROLS)


def payload(
    drawn: Sequence[Chart],
    lines: Lines,
    language: str,
    *,
    reset: bool = False,
    anew: bool = False,
    ended: bool = False,
) -> str:
    """The component's value: with ``reset`` the charts and all points, with ``anew`` all points for the
    charts that are there, else the new points only.
    """
    document: dict[str, Any] = {"reset": reset, "anew": anew, "points": series(drawn, lines)}
    if reset:
        document["empty"] = say("runs.no_points_ended" if ended else "runs.no_points_yet", language)
        document |= words(language)
        document["charts"] = [
            _chart(chart, question if chart is charts_[0] else "", language)
            for question, charts_ in by_question(drawn)
            for chart in charts_
        ]
    return json.dumps(document)


def words(language: str) -> dict[str, Any]:
    """What the charts and the controls over them say."""
    return {
        "controls": {name: say(f"charts.{name}", language) for name in ("smoothing", "log_x", "clip")},
        "smoothed": say("charts.smoothed", language),
        "words": charts.words(language),
    }


def _chart(chart: Chart, question: str, language: str) -> dict[str, Any]:
    """A chart without its points; the first of those that answer a question has it as a heading."""
    return {
        "name": chart.name,
        "heading": say(f"charts.question_{question}", language) if question else "",
        **_titled(chart, language),
        "series": [{"metric": name, "label": label(chart, name, language)} for name in chart.metrics],
    }


def _titled(chart: Chart, language: str) -> dict[str, str]:
    """Its title and how to read it; a metric of another trainer's goes by its own name."""
    if chart.title_key not in texts.catalogue(texts.DEFAULT_LANGUAGE):
        return {"title": chart.name, "help": say("handover.metric_help", language)}
    return {"title": say(chart.title_key, language), "help": say(chart.help_key, language)}


def series(drawn: Sequence[Chart], lines: Lines) -> dict[str, list[list[float | None]]]:
    """``{metric: [[step ...], [value ...]]}`` of what the charts show, thinned to ``LIMIT``."""
    shown = {name for chart in drawn for name in chart.metrics}
    return {
        name: [list(axis) for axis in zip(*thin(line, LIMIT), strict=True)]
        for name, line in lines.items()
        if name in shown and line
    }


def label(chart: Chart, metric: str, language: str) -> str:
    """What a metric is called in a chart; its own name, if it has none there."""
    key = chart.label_key(metric)
    return say(key, language) if key in texts.catalogue(texts.DEFAULT_LANGUAGE) else metric
