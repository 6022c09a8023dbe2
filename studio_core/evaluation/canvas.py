"""What drawings are made of: an SVG that can be read aloud, a scale with round marks, names cut to their place.

Colours are the tokens of ``static/css/studio.css``, so that a drawing on a page follows its theme; by itself, or in a
page that has been saved, it brings them along and follows the system's. Every text is escaped.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from markupsafe import Markup

from studio_core.base.settings import bundled_folder

# What no XML may hold, escaped or not: a file with one of them would not open.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
WIDTH = 440
"""Of every drawing, in its own units: on a telephone 0.8 of a pixel each, so that 12 of them can still be read."""
EDGE = 16
"""Around a drawing that is a file: on a page its card has one."""
TOP = 52
"""Where a drawing begins below its title and note."""
SMALL, TEXT, TITLE = 12, 13, 15
# The baseline is grey: what is compared with it stands out. Told apart without red and green, and by their marks.
SERIES = ("muted", "accent", "b", "a", "warn")
MARKS = ("circle", "square", "triangle", "diamond")


def markup(template: str, *values: Any, **named: Any) -> Markup:
    """``template`` is ours; every value is escaped, unless it is ``Markup`` itself."""
    return Markup(template).format(*values, **named)


def join(parts: Iterable[Markup]) -> Markup:
    return Markup().join(parts)


@cache
def palette() -> Markup:
    """The colours of both themes as a style sheet that follows the system's."""
    css = (bundled_folder() / "css" / "studio.css").read_text(encoding="utf-8")
    light, dark = (
        "".join(re.findall(r"--ts-[\w-]+: #[0-9a-f]{6};", css.split(block, 1)[1].split("}", 1)[0]))
        for block in (":root {", ":root.dark {")
    )
    return Markup(
        f":root{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    )


@dataclass(frozen=True)
class Drawing:
    name: str
    """Of its file, and of its elements on a page: a word of ours."""
    title: str
    note: str
    """How it is read; below the title."""
    description: str
    """What it shows, in words, for who does not see it."""
    height: float
    body: Markup

    def svg(self, standalone: bool = False) -> Markup:
        """``standalone``: with its colours and a ground of its own, as a file."""
        edge = EDGE if standalone else 0
        style = markup(
            '<style>{}</style><rect x="-{edge}" y="-{edge}" width="100%" height="100%" fill="var(--ts-surface)"/>',
            palette(),
            edge=edge,
        )
        svg = markup(
            '<svg xmlns="http://www.w3.org/2000/svg" class="ts-drawing" viewBox="-{edge} -{edge} {width} {height:.0f}" '
            'role="img" aria-labelledby="{name}-title {name}-description" fill="var(--ts-text)" font-size="{size}" '
            'font-family="IBM Plex Sans,Noto Sans CJK SC,PingFang SC,Microsoft YaHei,system-ui,sans-serif">'
            '<title id="{name}-title">{title}</title><desc id="{name}-description">{description}</desc>{style}'
            "{heading}{note}{body}</svg>",
            edge=edge,
            width=WIDTH + 2 * edge,
            height=self.height + 2 * edge,
            name=self.name,
            size=TEXT,
            title=self.title,
            description=self.description,
            style=style if standalone else Markup(),
            heading=label(0, 17, self.title, WIDTH, size=TITLE, weight=600),
            note=label(0, 36, self.note, WIDTH, size=SMALL, colour="muted"),
            body=self.body,
        )
        return Markup(_FORBIDDEN.sub("\ufffd", svg))


@dataclass(frozen=True)
class Scale:
    """From values to places on the drawing, with three to six round marks."""

    low: float
    high: float
    start: float
    end: float
    figure: Callable[[float], str]

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def marks(self) -> list[float]:
        step = _step(self.low, self.high)
        first = math.ceil(self.low / step - 1e-9)
        return [round(n * step, 10) for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def scale(
    values: Iterable[float],
    start: float,
    end: float,
    figure: Callable[[float], str],
    *,
    least: float | None = None,
    most: float | None = None,
) -> Scale:
    """Round ends around all ``values``, ``least`` and ``most`` among them if given; shares never go beyond theirs."""
    known = [*values, *(value for value in (least, most) if value is not None)]
    low, high = min(known), max(known)
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    step = _step(low, high)
    return Scale(
        math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, start, end, figure
    )


def _step(low: float, high: float) -> float:
    """1, 2 or 5 of a power of ten, so that there are three to six."""
    power = 10 ** math.floor(math.log10((high - low) / 3))
    return float(next(power * times for times in (1, 2, 5, 10) if (high - low) / (power * times) <= 6))


def colour_of(series: int) -> str:
    return SERIES[series % len(SERIES)]


def label(
    x: float,
    y: float,
    words: str,
    width: float,
    *,
    anchor: str = "start",
    size: int = TEXT,
    colour: str = "text",
    weight: int = 400,
) -> Markup:
    """One line of text, cut to ``width``; the whole of it is in its tooltip."""
    shown = cut(words, width, size * (1.06 if weight > 400 else 1))
    whole = Markup() if shown == words else markup("<title>{}</title>", words)
    return markup(
        '<text x="{:.1f}" y="{:.1f}" text-anchor="{}" font-size="{}" font-weight="{}" fill="var(--ts-{})">'
        "{}{}</text>",
        x,
        y,
        anchor,
        size,
        weight,
        colour,
        whole,
        shown,
    )


def cut(words: str, width: float, size: float = TEXT) -> str:
    """As much of ``words`` as fits, with an ellipsis if that is not all."""
    # A Chinese character is as wide as high; of Latin text a letter takes 0.56 of it on average in our font.
    widths = [size * (1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.56) for letter in words]
    if sum(widths) <= width:
        return words
    left, kept = width - size, 0
    while kept < len(widths) and left >= widths[kept]:
        left -= widths[kept]
        kept += 1
    return words[:kept].rstrip() + "…"


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1, dash: str = "") -> Markup:
    return markup(
        '<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="var(--ts-{})" stroke-width="{}"'
        ' stroke-dasharray="{}"/>',
        x1,
        y1,
        x2,
        y2,
        colour,
        width,
        dash or "none",
    )


def path(points: Sequence[tuple[float, float]], colour: str, width: float = 2, dash: str = "") -> Markup:
    """A line through ``points``."""
    return markup(
        '<polyline points="{}" fill="none" stroke="var(--ts-{})" stroke-width="{}" stroke-linejoin="round"'
        ' stroke-dasharray="{}"/>',
        _places(points),
        colour,
        width,
        dash or "none",
    )


def area(points: Sequence[tuple[float, float]], colour: str, opacity: float) -> Markup:
    return markup(
        '<polygon points="{}" fill="var(--ts-{})" fill-opacity="{}"/>', _places(points), colour, opacity
    )


def _places(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def mark(x: float, y: float, series: int, words: str = "", colour: str | None = None) -> Markup:
    """A small shape, another for each series; ``words`` are its tooltip."""
    shapes = {
        "circle": [
            (x + 4.5 * math.cos(n * math.pi / 6), y + 4.5 * math.sin(n * math.pi / 6)) for n in range(12)
        ],
        "square": [(x - 4, y - 4), (x + 4, y - 4), (x + 4, y + 4), (x - 4, y + 4)],
        "triangle": [(x, y - 5), (x + 5, y + 4), (x - 5, y + 4)],
        "diamond": [(x, y - 5.5), (x + 5.5, y), (x, y + 5.5), (x - 5.5, y)],
    }
    shape = area(shapes[MARKS[series % len(MARKS)]], colour or colour_of(series), 1)
    return markup("<g>{}{}</g>", markup("<title>{}</title>", words) if words else Markup(), shape)


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places of labels at least ``gap`` apart, as near as may be to where they belong, within the ends if they fit."""
    order = sorted(range(len(places)), key=lambda n: places[n])
    # Labels that meet become one block in the middle of where they belong: [sum of where its first should be, labels].
    blocks: list[list[float]] = []
    for n in order:
        blocks.append([places[n], 1])
        while len(blocks) > 1 and _first(blocks[-2], gap, low, high) + gap * blocks[-2][1] > _first(
            blocks[-1], gap, low, high
        ):
            total, count = blocks.pop()
            # The first of the joined block stands so many gaps above the first of the second.
            blocks[-1] = [blocks[-1][0] + total - count * gap * blocks[-1][1], blocks[-1][1] + count]
    spread_out = [_first(block, gap, low, high) + gap * n for block in blocks for n in range(int(block[1]))]
    return [place for _, place in sorted(zip(order, spread_out, strict=True))]


def _first(block: Sequence[float], gap: float, low: float, high: float) -> float:
    total, count = block
    return max(low, min(total / count, high - gap * (count - 1)))
