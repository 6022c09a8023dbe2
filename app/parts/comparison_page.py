"""The Runs page while it compares: ``/runs?compare=3,7,12``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from app.i18n import language_of, say
from app.parts import comparison_charts, comparison_view, run_view
from app.parts.comparison_view import Comparison
from app.parts.events import LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import html, notice, panel
from app.parts.live_chart import live_chart
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.methods.base import Chart
from studio_core.methods.questions import by_question
from studio_core.training import comparison
from studio_core.training.comparison import Curves

EVERY = 3.0
"""Seconds between two looks: twenty runs at once are watched for their course, not for each step."""


def build(studio: Studio) -> None:
    with gr.Column(visible=False, elem_id="compare") as place:
        parts: dict[str, Any] = {
            "head": panel("compare-head"),
            "axes": panel("compare-axes"),
            "charts": live_chart("compare-charts"),
            "settings": panel("compare-settings"),
            "answers": panel("compare-answers"),
        }
    parts |= {
        "place": place,
        "seen": gr.Textbox(visible=False),
        "slow": gr.Timer(EVERY, active=False),
    }
    page = ComparisonPage(studio, parts)
    on_open(page.compare, list(parts.values()))
    parts["slow"].tick(page.watched, inputs=[parts["seen"]], outputs=list(parts.values()), **LIGHT)


def asked(studio: Studio, query: Mapping[str, str]) -> Comparison:
    """What an address asks to be compared; raises a ``StudioError`` if it cannot be."""
    text = ",".join(filter(None, (query.get("compare", ""), query.get("add", ""))))
    ids = [part.strip() for part in text.split(",") if part.strip()]
    if not ids or not all(part.isascii() and part.isdigit() and len(part) < 16 for part in ids):
        raise BadInput("comparison.bad_address", value=text[:80])
    jobs = comparison.runs_of(studio, [int(part) for part in ids])
    pinned = str(query.get("baseline", ""))
    baseline = next((job.id for job in jobs if str(job.id) == pinned), jobs[0].id)
    return Comparison(jobs, comparison.axis(str(query.get("by") or "step")), baseline)


class ComparisonPage(Handlers):
    """What it shows when it is opened, and while some of its runs go on."""

    @safely
    def compare(self, request: gr.Request) -> Any:
        if not request.query_params.get("compare"):
            return gr.skip()
        language = language_of(request)
        try:
            shown = asked(self.studio, request.query_params)
        except StudioError as error:
            back = html('<p><a class="ts-button" href="/runs">{}</a></p>', say("runs.all", language))
            said = html("{}{}", notice("warn", error.sentence(language)), back)
            return self._updates(place=gr.update(visible=True), head=said)
        return {**self._updates(place=gr.update(visible=True)), **self._drawn(shown, language)}

    @safely
    def watched(self, request: gr.Request, seen: str) -> Any:
        if not request.query_params.get("compare"):
            return gr.skip()
        shown = asked(self.studio, request.query_params)
        mark, _, drawn = seen.partition(" | ")
        return gr.skip() if mark == _mark(shown) else self._drawn(shown, language_of(request), drawn)

    def _drawn(self, shown: Comparison, language: str, before: str = "") -> Updates:
        """All of it; new points only for the charts, if those that were drawn ``before`` are still all."""
        curves = comparison.curves(self.studio, shown.jobs, shown.by)
        drawn = _charts(shown, curves)
        names = " ".join(drawn)
        return self._updates(
            head=comparison_view.head(self.studio, shown, language),
            axes=comparison_view.axes(shown, curves, language),
            charts=comparison_charts.payload(shown, curves, drawn, language, anew=names == before),
            settings=comparison_view.settings(shown, language),
            answers=comparison_view.answers(self.studio, shown, language),
            seen=f"{_mark(shown)} | {names}",
            slow=gr.Timer(active=any(job.state not in TERMINAL for job in shown.jobs)),
        )


def _mark(shown: Comparison) -> str:
    """Changes whenever one of the runs has come further."""
    return " ".join(f"{job.id}:{job.state}:{job.events_offset}" for job in shown.jobs)


def _charts(shown: Comparison, curves: Curves) -> dict[str, tuple[Chart, str]]:
    """The metrics that there are lines of, each with its chart, in the order in which they are read."""
    known: list[Chart] = []  # Charts of two methods may have one name and other metrics.
    for job in shown.jobs:
        known += [chart for chart in run_view.charts(job) if chart not in known]
    drawn: dict[str, tuple[Chart, str]] = {}
    for question, charts in by_question(known):
        for chart in charts:
            for metric in chart.metrics:
                if metric in curves.lines:
                    heading = "" if any(asked == question for _, asked in drawn.values()) else question
                    drawn.setdefault(metric, (chart, heading))
    return drawn
