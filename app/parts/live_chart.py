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
from studio_core.runs.outline import Lines, thin

LIMIT = 1_500
"""Most points of one line that are sent at once."""

_SMOOTHING = """
<div class="ts-smoothing">
  <label><span></span> <input type="range" min="0" max="0.98" step="0.02" value="0"> <output></output></label>
</div>
"""


def live_chart(elem_id: str) -> gr.HTML:
    """An empty set of charts; its value comes from ``payload``."""
    return charts.charts(elem_id, "js/live_chart.js", _SMOOTHING)


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
        document["smoothing"] = say("runs.smoothing", language)
        document["smoothed"] = say("charts.smoothed", language)
        document["words"] = charts.words(language)
        document["charts"] = [
            {
                "name": chart.name,
                "title": say(chart.title_key, language),
                "help": say(chart.help_key, language),
                "series": [
                    {"metric": name, "label": _label(chart, name, language)} for name in chart.metrics
                ],
            }
            for chart in drawn
        ]
    return json.dumps(document)


def series(drawn: Sequence[Chart], lines: Lines) -> dict[str, list[list[float | None]]]:
    """``{metric: [[step ...], [value ...]]}`` of what the charts show, thinned to ``LIMIT``."""
    shown = {name for chart in drawn for name in chart.metrics}
    return {
        name: [list(axis) for axis in zip(*thin(line, LIMIT), strict=True)]
        for name, line in lines.items()
        if name in shown and line
    }


def _label(chart: Chart, metric: str, language: str) -> str:
    key = chart.label_key(metric)
    return say(key, language) if key in texts.catalogue(texts.DEFAULT_LANGUAGE) else metric
