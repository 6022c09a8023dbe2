"""Intervals as pictures: a bar with a dot in a table, and a line of win rates by round.

Drawn with HTML and CSS, so that they follow theme, width and language without a script; what they show is
also said in words beside them, and in their labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from app.parts.html import html, join


@dataclass(frozen=True)
class Scale:
    """From ``low`` at the left to ``high`` at the right."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Sequence[float]) -> Scale:
        """With some room on both sides."""
        low, high = min(values), max(values)
        room = 0.06 * (high - low) or 1.0
        return cls(low - room, high + room)

    def percent(self, value: float) -> str:
        share = (value - self.low) / (self.high - self.low)
        return f"{100 * min(1.0, max(0.0, share)):.2f}"


def interval(
    low: float | None, middle: float | None, high: float | None, scale: Scale, mark: float | None = None
) -> Markup:
    """A bar from ``low`` to ``high`` with a dot at ``middle``; ``mark``: a thin line, such as the average."""
    if low is None or middle is None or high is None:
        return Markup()
    line = html('<i style="left:{}%"></i>', scale.percent(mark)) if mark is not None else Markup()
    return html(
        '<div class="ts-interval" role="img" aria-label="{:.0f} ({:.0f} – {:.0f})">{}'
        '<b style="left:{}%;right:{:.2f}%"></b><span style="left:{}%"></span></div>',
        middle,
        low,
        high,
        line,
        scale.percent(low),
        100 - float(scale.percent(high)),
        scale.percent(middle),
    )


@dataclass(frozen=True)
class Point:
    """A share with its interval, 0 to 1, at a place of the axis."""

    place: int
    share: float
    low: float
    high: float
    title: str
    """What is known of it, as a sentence."""


@dataclass(frozen=True)
class Line:
    name: str
    points: Sequence[Point]


def lines(rows: Sequence[Line], places: Sequence[str], half: str, label: str) -> Markup:
    """Shares by place, one line for each kind; ``half``: what 50 % means; ``places``: names along the axis."""

    def left(place: float) -> float:
        return 100 * (place + 0.5) / len(places)

    ticks = join(
        html('<span class="ts-lines-tick" style="bottom:{0}%">{0}%</span>', tick)
        for tick in (0, 25, 50, 75, 100)
    )
    names = join(
        html('<span style="left:{:.2f}%">{}</span>', left(place), name) for place, name in enumerate(places)
    )
    drawn, dots = Markup(), Markup()
    for number, line in enumerate(rows):
        # Two lines with a point at one place stand beside each other.
        shift = (number - (len(rows) - 1) / 2) * min(6.0, 40 / len(places))
        at = [(left(point.place) + shift, point) for point in line.points]
        path = " ".join(f"{x:.2f},{100 * (1 - point.share):.2f}" for x, point in at)
        bars = join(
            html(
                '<line x1="{0:.2f}" x2="{0:.2f}" y1="{1:.2f}" y2="{2:.2f}"/>',
                x,
                100 * (1 - p.low),
                100 * (1 - p.high),
            )
            for x, p in at
        )
        drawn += html('<g class="ts-line-{}"><polyline points="{}"/>{}</g>', number, path, bars)
        dots += join(
            html(
                '<span class="ts-lines-dot ts-line-{}" style="left:{:.2f}%;bottom:{:.2f}%" title="{}"></span>',
                number,
                x,
                100 * point.share,
                point.title,
            )
            for x, point in at
        )
    legend = join(
        html('<span class="ts-line-{}"><i></i>{}</span>', number, line.name)
        for number, line in enumerate(rows)
    )
    return html(
        '<figure class="ts-lines" role="img" aria-label="{}"><div class="ts-lines-plot"><svg viewBox="0 0 100 100"'
        ' preserveAspectRatio="none" aria-hidden="true">{}</svg>{}{}<span class="ts-lines-half">{}</span></div>'
        '<div class="ts-lines-places">{}</div><figcaption>{}</figcaption></figure>',
        label,
        drawn,
        ticks,
        dots,
        half,
        names,
        legend,
    )
