"""Charts of several runs as the JSON text that ``static/js/live_chart.js`` draws: one chart for each metric."""

from __future__ import annotations

from typing import Any

import orjson

from app.i18n import say
from app.parts import live_chart
from app.parts.comparison_view import Comparison, colour, dash
from studio_core.base.tables import Job
from studio_core.methods.base import Chart
from studio_core.training.comparison import Curves

_UNITS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
"""Of time: the largest that the longest run fills twice."""

Points = dict[str, list[list[float | None]]]


def payload(
    shown: Comparison,
    curves: Curves,
    drawn: dict[str, tuple[Chart, str]],
    language: str,
    *,
    anew: bool = False,
) -> str:
    """The component's value; ``drawn`` are the metrics, each with the chart that tells of it and its question."""
    seconds, name = unit(curves)
    title = say(f"comparison.time_{name}" if curves.by == "time" else f"comparison.by_{curves.by}", language)
    document: dict[str, Any] = {
        "reset": not anew,
        "anew": anew,
        "points": _points(curves, seconds),
        # Each time: the unit of time grows with the runs.
        "axis": {"name": title, "title": title, "format": "" if curves.by in ("time", "epoch") else "~s"},
    }
    if not anew:
        document |= live_chart.words(language)
        document |= {
            "empty": say("runs.no_points_yet", language),
            "legend": False,
            "charts": [_chart(metric, *about, shown, language) for metric, about in drawn.items()],
        }
    return orjson.dumps(
        document
    ).decode()  # Ten times as fast as the standard library, and the numbers are many.


def _chart(name: str, chart: Chart, question: str, shown: Comparison, language: str) -> dict[str, Any]:
    title, label = say(chart.title_key, language), live_chart.label(chart, name, language)
    return {
        "name": name.replace("/", "-"),
        "heading": say(f"charts.question_{question}", language) if question else "",
        "title": title if label.lower() == title.lower() else f"{title} · {label}",
        "help": say(chart.help_key, language),
        "series": [_series(name, place, job, shown) for place, job in enumerate(shown.jobs)],
    }


def _series(metric: str, place: int, job: Job, shown: Comparison) -> dict[str, Any]:
    return {
        "metric": key(metric, job.id),
        "label": f"{job.id} · {job.name}",
        "colour": colour(place),
        "dash": dash(place),
        "strong": job.id == shown.baseline,
    }


def key(metric: str, run: int) -> str:
    """The line of one run among the points."""
    return f"{metric}@{run}"


def _points(curves: Curves, seconds: float) -> Points:
    points: Points = {}
    for metric, lines in curves.lines.items():
        for run, line in lines.items():
            places = (
                [place / seconds for place, _ in line] if seconds != 1.0 else [place for place, _ in line]
            )
            points[key(metric, run)] = [list(places), [value for _, value in line]]
    return points


def unit(curves: Curves) -> tuple[float, str]:
    """Seconds of a unit of the axis, and its name; 1 where the axis is not of time."""
    if curves.by != "time":
        return 1.0, ""
    longest = max(
        (line[-1][0] for lines in curves.lines.values() for line in lines.values() if line), default=0.0
    )
    return next(((size, name) for size, name in _UNITS if longest >= 2 * size), _UNITS[-1])
