"""The lineage of a model as a drawing, from left to right: each box leads to the page of what it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from markupsafe import Markup

from app.i18n import say
from app.parts.html import html, join
from studio_core.keeping.lineage import Key, Lineage, Node

# Pixels: a name of 20 letters fits into a box, below the line that says what it is, and six boxes into a page.
WIDTH, HEIGHT = 164, 48
ACROSS, DOWN = 34, 14
LETTERS = 20

ON_DRAW = """
const centre = () => {
	const graph = element.querySelector('.ts-graph');
	const current = graph?.querySelector('[aria-current]');
	if (!current) return;
	const [box, around] = [current.getBoundingClientRect(), graph.getBoundingClientRect()];
	graph.scrollLeft += box.left + box.width / 2 - (around.left + around.width / 2);
};
centre();
watch('value', () => requestAnimationFrame(centre));
"""
"""The model whose page it is stands in the middle of what is seen of a wide drawing."""

_PAGES = {
    "model": "/models?model={name}",
    "run": "/runs?run={id}",
    "dataset": "/dataset?id={id}",
    "project": "/label?project={id}",
    "round": "/label?project={id}",
    "evaluation": "/evaluate?job={id}",
}


def drawn(lineage: Lineage, current: Key, language: str) -> Markup:
    """``current``: the model whose page it is."""
    if len(lineage.nodes) < 2:
        return html('<p class="ts-muted">{}</p>', say("keeping.no_lineage", language))
    places = _places(lineage)
    wide = max(x for x, _ in places.values()) + WIDTH + 2
    high = max(y for _, y in places.values()) + HEIGHT + 2
    edges = join(_edge(places[before], places[after]) for before, after in lineage.edges)
    nodes = join(_node(node, places[node.key], node.key == current, language) for node in lineage.nodes)
    more = html('<p class="ts-muted">{}</p>', say("keeping.lineage_more", language, n=lineage.more))
    return html(
        '<div class="ts-graph" tabindex="0"><svg width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="group" '
        'aria-label="{2}">{3}{4}</svg></div>{5}',
        wide,
        high,
        say("keeping.lineage_help", language),
        edges,
        nodes,
        more if lineage.more else "",
    )


def _places(lineage: Lineage) -> dict[Key, tuple[int, int]]:
    """Left upper corners: a column for each step of the way, and what belongs together on one height."""
    order = _in_order(lineage)
    place = {key: number for number, key in enumerate(order)}
    before: dict[Key, list[Key]] = {key: [] for key in order}
    after: dict[Key, list[Key]] = {key: [] for key in order}
    for one, other in lineage.edges:
        if place[one] < place[other]:  # Else it closes a circle.
            before[other].append(one)
            after[one].append(other)
    column: dict[Key, int] = {}
    for key in order:
        column[key] = max((column[one] + 1 for one in before[key]), default=0)
    for key in reversed(order):  # Data stands right before the run that it is for.
        column[key] = min((column[one] - 1 for one in after[key]), default=column[key])
    row: dict[Key, float] = {}
    for number in range(max(column.values()) + 1):
        free = 0.0
        for wished, *_, key in sorted(
            # The way goes on above what only tells of a model.
            (min((row[one] for one in before[key]), default=_LAST), not after[key], key[0] != "model", key)
            for key in order
            if column[key] == number
        ):
            row[key] = max(free, wished if wished < _LAST else free)
            free = row[key] + 1
    return {key: (1 + column[key] * (WIDTH + ACROSS), round(1 + row[key] * (HEIGHT + DOWN))) for key in order}


_LAST = 1e9
"""A height that nothing has: what came of nothing that is drawn stands below the others of its column."""


def _in_order(lineage: Lineage) -> list[Key]:
    """Everything after what it was made of; a circle, which only a hand that edits rows can make, is broken up."""
    waits: Mapping[Key, set[Key]] = {node.key: set() for node in lineage.nodes}
    for one, other in lineage.edges:
        waits[other].add(one)
    left, order = dict.fromkeys(node.key for node in lineage.nodes), list[Key]()
    while left:
        ready = [key for key in left if not waits[key] & left.keys()] or list(left)[:1]
        order += ready
        for key in ready:
            del left[key]
    return order


def _edge(one: tuple[int, int], other: tuple[int, int]) -> Markup:
    start, end = (one[0] + WIDTH, one[1] + HEIGHT // 2), (other[0], other[1] + HEIGHT // 2)
    middle = (start[0] + end[0]) // 2
    return html('<path d="M{} {} C{} {} {} {} {} {}"/>', *start, middle, start[1], middle, end[1], *end)


def _node(node: Node, place: tuple[int, int], current: bool, language: str) -> Markup:
    name = node.name if len(node.name) <= LETTERS else f"{node.name[: LETTERS - 1]}…"
    words = [say(f"keeping.node_{node.kind}", language)]
    if node.kind in ("run", "evaluation"):
        words[0] += f" {node.id}"
    words += [node.about.upper()] if node.about else []
    words += [say("keeping.archived", language)] if node.archived else []
    x, y = place
    return html(
        '<a href="{}" class="ts-graph-{}{}"{}><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" rx="8"/>'
        '<text class="ts-graph-kind" x="{}" y="{}">{}</text><text x="{}" y="{}">{}</text></a>',
        _PAGES[node.kind].format(id=node.id, name=quote(node.name, safe="@")),
        node.kind,
        " ts-graph-archived" if node.archived else "",
        Markup(' aria-current="page"') if current else Markup(),
        node.name,
        x,
        y,
        WIDTH,
        HEIGHT,
        x + 12,
        y + 18,
        " · ".join(words),
        x + 12,
        y + 36,
        name,
    )
