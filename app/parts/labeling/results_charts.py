"""Charts of a project's votes, in the form that ``static/js/report_charts.js`` draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC
from typing import Any

from app.i18n import Phrase, phrases
from app.parts.html import number
from app.parts.report_charts import document
from studio_core.labeling.agreement import Agreement, Habits
from studio_core.labeling.statistics import Statistics
from studio_core.statistics.agreement_rate import Share

# As many as can be told apart; those with the most votes come first.
MOST_PEOPLE = 12
_WIDTHS = {"minutes": 300_000, "hour": 3_600_000, "day": 86_400_000}
"""Milliseconds of a column, by what it is called."""
_MOST_COLUMNS = 120
"""Beyond so many columns between the first vote and the last, votes are counted by the next longer time."""


def payload(statistics: Statistics, language: str) -> str:
    """The value of the component of ``report_charts``."""
    phrase = phrases("labeling.", language)
    if not statistics.everybody.votes:
        return document([], language)
    people = sorted(statistics.annotators.items(), key=lambda one: -one[1].votes)[:MOST_PEOPLE]
    everybody = [(phrase("everybody"), statistics.everybody)]
    shown = everybody + people if len(people) > 1 else everybody
    drawn = [
        _pace(statistics, phrase),
        _people(people, phrase),
        _shares("left", [(name, habits.left_wins) for name, habits in shown], phrase),
        _shares("longer", [(name, habits.longer_wins) for name, habits in shown], phrase),
        _agreement(statistics.agreement, phrase),
    ]
    return document(drawn, language)


def _pace(statistics: Statistics, phrase: Phrase) -> dict[str, Any]:
    """Votes by five minutes from the first on, later by the hour and by the day."""
    moments = {int(at.replace(tzinfo=UTC).timestamp()) * 1000: n for at, n in statistics.pace.items()}
    span = max(moments) - min(moments)
    unit = next((name for name, width in _WIDTHS.items() if span / width <= _MOST_COLUMNS), "day")
    width = _WIDTHS[unit]
    columns: Counter[int] = Counter()
    for moment, n in moments.items():
        columns[moment - moment % width] += n
    return {
        "name": "pace",
        "kind": "times",
        "title": phrase("chart_pace"),
        "note": phrase("chart_pace_note", day=phrase(f"unit_{unit}")),
        "axis": "",
        "rows": phrase("unit_votes"),
        "times": sorted(columns),
        "values": [columns[moment] for moment in sorted(columns)],
        "width": width,
    }


def _people(people: Iterable[tuple[str, Habits]], phrase: Phrase) -> dict[str, Any]:
    rows = [(name, habits.votes) for name, habits in people]
    return {
        "name": "people",
        "kind": "bars",
        "title": phrase("chart_people"),
        "note": phrase("chart_people_note"),
        "axis": phrase("unit_votes"),
        "labels": [name for name, _ in rows],
        "values": [votes for _, votes in rows],
        "hover": [f"{name}: {number(votes)}" for name, votes in rows],
    }


def _shares(name: str, rows: Iterable[tuple[str, Share]], phrase: Phrase) -> dict[str, Any] | None:
    """Shares with their intervals, beside the half that nobody's habits would give."""
    points = [(who, share, share.rate) for who, share in rows if share.rate is not None]
    if not points:
        return None
    return {
        "name": name,
        "kind": "intervals",
        "title": phrase(f"chart_{name}"),
        "note": phrase(f"chart_{name}_note"),
        "axis": phrase("unit_share"),
        "range": [0, 1],
        "format": ".0%",
        "lines": [{"x": 0.5, "label": "50%", "kind": "median"}],
        "labels": [who for who, _, _ in points],
        "values": [rate for _, _, rate in points],
        "low": [share.low for _, share, _ in points],
        "high": [share.high for _, share, _ in points],
        "hover": [
            f"{who}: {100 * rate:.0f} % ({100 * share.low:.0f} – {100 * share.high:.0f}), n = {share.of}"
            for who, share, rate in points
        ],
    }


def _agreement(agreement: Agreement, phrase: Phrase) -> dict[str, Any] | None:
    """Krippendorff's alpha of all with its interval, and Cohen's kappa of each two."""
    if agreement.alpha is None:
        return None
    two = sorted(agreement.kappas.items(), key=lambda one: one[1])[:MOST_PEOPLE]
    values = [agreement.alpha, *(kappa for _, kappa in two)]
    nothing = [None] * len(two)
    return {
        "name": "agreement",
        "kind": "intervals",
        "title": phrase("chart_agreement"),
        "note": phrase("chart_agreement_note", items=number(agreement.items)),
        "axis": "",
        "range": [min(-0.1, *values) - 0.02, 1.02],
        "lines": [{"x": 0, "label": phrase("chance"), "kind": "median"}],
        "labels": [phrase("stat_alpha"), *(name for name, _ in two)],
        "values": values,
        "low": [agreement.alpha_low, *nothing],
        "high": [agreement.alpha_high, *nothing],
        "hover": [f"α = {agreement.alpha:.2f}", *(f"{name}: κ = {kappa:.2f}" for name, kappa in two)],
    }
