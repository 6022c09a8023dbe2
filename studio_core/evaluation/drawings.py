"""Charts of a report, drawn as SVG: bars with their intervals, slopes, lines over checkpoints, a frontier, a radar.

Pure: names and numbers in, a ``Drawing`` out. Each says in words what it shows (``description``), so that nothing is
told by colour alone. What they are drawn of is chosen in ``charts``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from studio_core.evaluation.canvas import (
    SMALL,
    TOP,
    WIDTH,
    Drawing,
    Scale,
    area,
    colour_of,
    join,
    label,
    line,
    mark,
    path,
    scale,
    spread,
)

Figure = Callable[[float], str]
"""How a value is written."""
ROW = 22
"""Height of a row of text with the space around it."""


@dataclass(frozen=True)
class Words:
    """What a drawing says around its figures."""

    name: str
    title: str
    note: str


@dataclass(frozen=True)
class Value:
    """One mean and how far it may be off."""

    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Group:
    """Values of one suite, by the number of their series."""

    title: str
    values: dict[int, Value]


@dataclass(frozen=True)
class Slope:
    title: str
    before: float
    after: float
    direction: str
    """``better``, ``worse``, ``same`` or ``unknown``."""
    words: str
    """The direction, as it is read."""


@dataclass(frozen=True)
class Line:
    """One value for each step, in order."""

    title: str
    points: dict[int, Value]


@dataclass(frozen=True)
class Cost:
    """A model, what it costs and what it is worth."""

    title: str
    cost: float
    value: Value


def bars(
    words: Words, series: Sequence[str], groups: Sequence[Group], figure: Figure, most: float | None
) -> Drawing:
    """A bar for each series of each group; ``most``: the scale's end, or none that is known beforehand."""
    left, right = 132.0, WIDTH - 62.0
    values = [value for group in groups for value in group.values.values()]
    ends = [end for value in values for end in (value.mean, value.low, value.high) if end is not None]
    across = scale(ends, left, right, figure, least=0.0, most=most)
    parts, said, y = [], [], float(TOP)
    for group in groups:
        parts.append(label(0, y + 13, group.title, WIDTH, weight=600))
        y += ROW
        for number, value in group.values.items():
            parts.append(_bar(across, series[number], number, value, y))
            said.append(f"{group.title}, {series[number]}: {_with_interval(value, figure)}")
            y += ROW
        y += 8
    grid = [line(across(at), TOP, across(at), y - 2, "border") for at in across.marks]
    names = [
        label(across(at), y + 12, figure(at), 60, anchor="middle", size=SMALL, colour="muted")
        for at in across.marks
    ]
    return Drawing(
        words.name, words.title, words.note, "; ".join(said), y + 20, join([*grid, *names, *parts])
    )


def _bar(across: Scale, name: str, number: int, value: Value, y: float) -> Markup:
    zero, end, colour = across(max(0.0, across.low)), across(value.mean), colour_of(number)
    middle = y + 9
    parts = [
        label(124, y + 13, name, 122, anchor="end", size=SMALL),
        area([(zero, middle - 6), (end, middle - 6), (end, middle + 6), (zero, middle + 6)], colour, 0.55),
        label(WIDTH, y + 13, across.figure(value.mean), 60, anchor="end", weight=600),
    ]
    if value.low is not None and value.high is not None:
        low, high = across(value.low), across(value.high)
        parts.append(line(low, middle, high, middle, "text", 1.5))
        parts += [line(x, middle - 4, x, middle + 4, "text", 1.5) for x in (low, high)]
    return join(parts)


def slopes(words: Words, ends: tuple[str, str], changes: Sequence[Slope], figure: Figure) -> Drawing:
    """A line from before to after for each suite, with the direction in words beside it."""
    left, right = 190.0, 318.0
    top, bottom = TOP + 34.0, TOP + 34.0 + max(130.0, 20.0 * len(changes))
    values = [value for change in changes for value in (change.before, change.after)]
    down = scale(values, bottom, top, figure)
    parts = [
        label(left, TOP + 12, ends[0], 186, anchor="end", size=SMALL, colour="muted", weight=600),
        label(right, TOP + 12, ends[1], WIDTH - right, size=SMALL, colour="muted", weight=600),
        *(line(x, top - 8, x, bottom + 8, "border-strong") for x in (left, right)),
    ]
    before = spread([down(change.before) for change in changes], 17, top, bottom)
    after = spread([down(change.after) for change in changes], 17, top, bottom)
    said = []
    for change, left_y, right_y in zip(changes, before, after, strict=True):
        colour = {"better": "accent", "worse": "bad"}.get(change.direction, "muted")
        # The lines too differ by more than their colour.
        dash = {"better": "", "worse": "7 4"}.get(change.direction, "2 4")
        told = f"{figure(change.after)} {change.words}"
        parts += [
            path([(left, down(change.before)), (right, down(change.after))], colour, 2.5, dash),
            mark(left, down(change.before), 0, colour=colour),
            mark(right, down(change.after), 0, colour=colour),
            # To the names, where they had to move from each other.
            path([(left - 5, down(change.before)), (left - 12, left_y)], colour, 0.75),
            path([(right + 5, down(change.after)), (right + 12, right_y)], colour, 0.75),
            label(left - 15, left_y + 4, figure(change.before), 44, anchor="end", size=SMALL),
            label(left - 62, left_y + 4, change.title, left - 62, anchor="end", size=SMALL),
            label(right + 15, right_y + 4, told, WIDTH - right - 15, size=SMALL, colour=colour, weight=600),
        ]
        said.append(f"{change.title}: {figure(change.before)}, {told}")
    return Drawing(words.name, words.title, words.note, "; ".join(said), bottom + 20, join(parts))


def lines(words: Words, rows: Sequence[Line], figure: Figure, steps_title: str) -> Drawing:
    """A line for each suite over the steps of a run, with its interval as a band and its name at its end."""
    left, right, top, bottom = 44.0, WIDTH - 112.0, TOP + 8.0, TOP + 208.0
    steps = [step for row in rows for step in row.points]
    ends = [
        end for row in rows for value in row.points.values() for end in (value.mean, value.low, value.high)
    ]
    down = scale([end for end in ends if end is not None], bottom, top, figure)
    across = scale(steps, left, right, lambda step: f"{step:,.0f}")
    # From the first step to the last: a run has none beyond.
    across = Scale(min(steps), max(max(steps), min(steps) + 1), left, right, across.figure)
    parts = _frame(across, down, steps_title)
    last = [(row.points[max(row.points)].mean, max(row.points)) for row in rows]
    places = spread([down(mean) for mean, _ in last], 17, top, bottom)
    said = []
    for number, (row, place) in enumerate(zip(rows, places, strict=True), start=1):
        points = [(across(step), down(value.mean)) for step, value in row.points.items()]
        band = [(across(step), value) for step, value in row.points.items()]
        upper = [(x, down(value.high)) for x, value in band if value.high is not None]
        lower = [(x, down(value.low)) for x, value in band if value.low is not None]
        parts.append(area([*upper, *reversed(lower)], colour_of(number), 0.12))
        parts.append(path(points, colour_of(number)))
        parts += [mark(x, y, number) for x, y in points]
        # The line that leads from its end to its name, where that had to move.
        parts.append(path([points[-1], (right + 8, place)], colour_of(number), 0.75))
        parts.append(label(right + 12, place + 4, row.title, WIDTH - right - 12, size=SMALL, weight=600))
        said.append(
            f"{row.title}: " + ", ".join(f"{step}: {figure(v.mean)}" for step, v in row.points.items())
        )
    return Drawing(words.name, words.title, words.note, "; ".join(said), bottom + 44, join(parts))


def pareto(words: Words, models: Sequence[Cost], figure: Figure, cost_title: str, cost: Figure) -> Drawing:
    """Value against cost; the line joins those than which no other is both better and cheaper."""
    left, right, top, bottom = 44.0, WIDTH - 16.0, TOP + 10.0, TOP + 214.0
    ends = [end for model in models for end in (model.value.mean, model.value.low, model.value.high)]
    down = scale([end for end in ends if end is not None], bottom, top, figure)
    across = scale([model.cost for model in models], left, right, cost, least=0.0)
    parts = _frame(across, down, cost_title)
    best = frontier(models)
    steps: list[tuple[float, float]] = []
    for model in best:
        x, y = across(model.cost), down(model.value.mean)
        steps += [(x, steps[-1][1] if steps else y), (x, y)]
    parts.append(path(steps, "border-strong", 2, "5 4"))
    parts += [_cross(across, down, number, model) for number, model in enumerate(models)]
    legend, end = _legend([model.title for model in models], bottom + 60)
    said = [f"{m.title}: {_with_interval(m.value, figure)}, {cost_title} {cost(m.cost)}" for m in models]
    return Drawing(words.name, words.title, words.note, "; ".join(said), end, join([*parts, *legend]))


def frontier(models: Sequence[Cost]) -> list[Cost]:
    """Those than which no other is worth more and costs no more, the cheapest first."""
    best: list[Cost] = []
    for model in sorted(models, key=lambda model: (model.cost, -model.value.mean)):
        if not best or model.value.mean > best[-1].value.mean:
            best.append(model)
    return best


def _cross(across: Scale, down: Scale, number: int, model: Cost) -> Markup:
    """The mark of a model, and how far its value may be off."""
    x, y = across(model.cost), down(model.value.mean)
    parts = []
    if model.value.low is not None and model.value.high is not None:
        parts.append(line(x, down(model.value.low), x, down(model.value.high), colour_of(number), 1.5))
    return join([*parts, mark(x, y, number)])


def radar(
    words: Words, axes: Sequence[str], series: Sequence[tuple[str, Sequence[float]]], figure: Figure
) -> Drawing:
    """Shares on three or more suites as an area for each model: for the eye, since areas say little."""
    middle, centre, radius = WIDTH / 2, TOP + 142.0, 108.0

    def place(axis: int, value: float) -> tuple[float, float]:
        turn = 2 * math.pi * axis / len(axes) - math.pi / 2
        return middle + radius * value * math.cos(turn), centre + radius * value * math.sin(turn)

    around = range(len(axes))
    parts = [path([place(n, ring) for n in (*around, 0)], "border", 1) for ring in (0.25, 0.5, 0.75, 1.0)]
    parts += [line(middle, centre, *place(n, 1.0), "border") for n in around]
    for n, axis in enumerate(axes):
        x, y = place(n, 1.0)
        anchor = "middle" if abs(x - middle) < 4 else "start" if x > middle else "end"
        room = {"middle": 200.0, "start": WIDTH - x - 8, "end": x - 8}[anchor]
        away = 8 if anchor == "start" else -8 if anchor == "end" else 0
        below = 16 if y > centre + radius / 2 else -7 if y < centre - radius / 2 else 4
        parts.append(label(x + away, y + below, axis, room, anchor=anchor, size=SMALL))
    for number, (_, values) in enumerate(series):
        points = [place(n, value) for n, value in enumerate(values)]
        parts.append(area(points, colour_of(number), 0.1))
        parts.append(path([*points, points[0]], colour_of(number), 2, "5 3" if number == 0 else ""))
        parts += [mark(x, y, number) for x, y in points]
    legend, end = _legend([name for name, _ in series], centre + radius + 40)
    said = [
        f"{name}: " + ", ".join(f"{axis} {figure(value)}" for axis, value in zip(axes, values, strict=True))
        for name, values in series
    ]
    return Drawing(words.name, words.title, words.note, "; ".join(said), end, join([*parts, *legend]))


def _legend(names: Sequence[str], y: float) -> tuple[list[Markup], float]:
    """Marks with their names in two columns from ``y`` on, and where they end."""
    parts = []
    for number, name in enumerate(names):
        x, row = 44 + (number % 2) * 200, y + (number // 2) * 20
        parts += [mark(x, row, number), label(x + 12, row + 4, name, 180, size=SMALL)]
    return parts, y + (len(names) + 1) // 2 * 20


def _frame(across: Scale, down: Scale, title: str) -> list[Markup]:
    """Marks of both scales and the name of the one across."""
    parts = []
    for at in down.marks:
        parts.append(line(across.start, down(at), across.end, down(at), "border"))
        parts.append(
            label(
                across.start - 6, down(at) + 4, down.figure(at), 42, anchor="end", size=SMALL, colour="muted"
            )
        )
    for at in across.marks:
        parts.append(line(across(at), down.start, across(at), down.start + 4, "border-strong"))
        parts.append(
            label(
                across(at),
                down.start + 17,
                across.figure(at),
                60,
                anchor="middle",
                size=SMALL,
                colour="muted",
            )
        )
    middle = (across.start + across.end) / 2
    parts.append(label(middle, down.start + 36, title, 300, anchor="middle", size=SMALL, colour="muted"))
    return parts


def _with_interval(value: Value, figure: Figure) -> str:
    if value.low is None or value.high is None:
        return figure(value.mean)
    return f"{figure(value.mean)} ({figure(value.low)} – {figure(value.high)})"
