"""The family of a model as a drawing: each model leads to its page. Generations from left to right."""

from __future__ import annotations

from urllib.parse import quote

from markupsafe import Markup

from app.i18n import say
from app.parts.html import html, join
from studio_core.base.tables import Model
from studio_core.keeping.family import Descent, Family

# Pixels: a name of 24 letters fits into a box.
WIDTH, HEIGHT = 196, 40
ACROSS, DOWN = 78, 14
LETTERS = 24


def drawn(family: Family, current: int, language: str) -> Markup:
    """``current``: the id of the model whose page it is."""
    places = _places(family)
    if len(places) < 2:
        return html('<p class="ts-muted">{}</p>', say("keeping.no_family", language))
    wide = max(x for x, _ in places.values()) + WIDTH + 2
    high = max(y for _, y in places.values()) + HEIGHT + 2
    edges = join(_edge(one, places) for one in family.descents)
    nodes = join(_node(model, places[model.id], model.id == current) for model in family.models)
    more = html('<p class="ts-muted">{}</p>', say("keeping.family_more", language, n=family.more))
    return html(
        '<div class="ts-family" tabindex="0"><svg width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="group" '
        'aria-label="{2}">{3}{4}</svg></div>{5}',
        wide,
        high,
        say("keeping.family", language),
        edges,
        nodes,
        more if family.more else "",
    )


def _places(family: Family) -> dict[int, tuple[int, int]]:
    """Left upper corners by id: a column for each generation."""
    first = min(family.generation.values(), default=0)
    columns: dict[int, int] = {}
    places = {}
    for model in sorted(family.models, key=lambda model: model.id):
        column = family.generation[model.id] - first
        row = columns.get(column, 0)
        columns[column] = row + 1
        places[model.id] = (1 + column * (WIDTH + ACROSS), 1 + row * (HEIGHT + DOWN))
    return places


def _edge(one: Descent, places: dict[int, tuple[int, int]]) -> Markup:
    (x1, y1), (x2, y2) = places[one.parent], places[one.child]
    start, end = (x1 + WIDTH, y1 + HEIGHT // 2), (x2, y2 + HEIGHT // 2)
    middle = (start[0] + end[0]) // 2
    line = html('<path d="M{} {} C{} {} {} {} {} {}"/>', *start, middle, start[1], middle, end[1], *end)
    word = html(
        '<text class="ts-family-how" x="{}" y="{}">{}</text>', end[0] - 6, end[1] - 5, one.how.upper()[:10]
    )
    return line + word


def _node(model: Model, place: tuple[int, int], current: bool) -> Markup:
    name = model.name if len(model.name) <= LETTERS else f"{model.name[: LETTERS - 1]}…"
    x, y = place
    return html(
        '<a href="/models?model={}"{}><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" rx="8"/>'
        '<text x="{}" y="{}">{}</text></a>',
        quote(model.name, safe=""),
        Markup(' aria-current="page"') if current else Markup(),
        model.name,
        x,
        y,
        WIDTH,
        HEIGHT,
        x + 12,
        y + HEIGHT // 2 + 5,
        name,
    )
