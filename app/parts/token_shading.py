"""A rollout's answer with each token shaded by one figure: advantage, entropy or ratio.

Blue is more, orange is less; four shades each, always of the same values, so that answers can be compared. The number
is in a token's title, and beside it for screen readers. What a model wrote stays text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

from markupsafe import Markup

from app.i18n import say
from app.parts.html import html, join, number
from studio_core.runs.rollouts import Rollout
from studio_core.runs.token_figures import NEWEST, TokenFigures

Shade = Literal["none", "advantage", "entropy", "ratio"]

EDGES: dict[str, tuple[float, ...]] = {
    # Scaled by a group's or a round's standard deviation, two in three are below 1.
    "advantage": (0.25, 0.5, 1.0, 2.0),
    # Nats: 0.7 is a choice between two, 2.3 one between ten.
    "entropy": (0.1, 0.7, 1.4, 2.3),
    # 1.2 is where the usual clip begins.
    "ratio": (1.02, 1.1, 1.2, 1.5),
}
"""Where each of the four shades begins."""
_EMPTY = "·"
"""A token that completes no letter."""


def shade_of(value: object) -> Shade:
    """What a browser chose; whatever is none of these is none."""
    return next((shade for shade in get_args(Shade) if shade == value), "none")


def shaded(
    rollout: Rollout, figures: TokenFigures | None, shade: Shade, language: str, most: int
) -> Markup | None:
    """The answer, token by token, of at most so many characters; None if there are no such figures of it."""
    values = _values(rollout, figures, shade)
    if figures is None or values is None:
        return None
    spans, room = [], most
    for token, value in zip(figures["tokens"], values, strict=True):
        spans.append(_token(token, value, shade))
        room -= len(token)
        if room < 0:
            break
    rest = len(values) - len(spans)
    more = say("runs.shade_cut", language, tokens=number(rest))
    return join([*spans, html(' <span class="ts-muted">{}</span>', more if rest else "")])


def why_not(rollout: Rollout, figures: TokenFigures | None, shade: Shade, language: str) -> str:
    """Why an answer that has figures is not shaded; of all others the legend says it."""
    if shade == "none" or figures is None or _values(rollout, figures, shade) is not None:
        return ""
    return say("runs.shade_on_policy" if shade == "ratio" else "runs.shade_not_reported", language)


def legend(shade: Shade, language: str) -> Markup:
    """What the shades mean."""
    if shade == "none":
        return Markup()
    sides = ("more",) if shade == "entropy" else ("less", "more")
    signs = {"advantage": ("≤ −", "≥ "), "entropy": ("", "≥ "), "ratio": ("≤ 1/", "≥ ")}[shade]
    edges = [*enumerate(EDGES[shade], 1)]
    swatches = [
        html('<span class="ts-token ts-token-{}-{}">{}{}</span>', side, level, sign, f"{edge:g}")
        for side, sign in zip(("less", "more"), signs, strict=True)
        if side in sides
        for level, edge in (reversed(edges) if side == "less" else edges)
    ]
    words = say(f"runs.shade_{shade}_help", language), say("runs.shade_kept", language, n=NEWEST)
    return html('<p class="ts-muted ts-shades">{} {} {}</p>', join(swatches, " "), *words)


def _values(rollout: Rollout, figures: TokenFigures | None, shade: Shade) -> Sequence[float] | None:
    """A number for each token, if there are any. An advantage that is not each token's own is the answer's."""
    if shade == "none" or figures is None:
        return None
    if shade == "advantage":
        return figures.get("advantage") or [rollout["advantage"]] * len(figures["tokens"])
    return figures.get(shade)


def _token(token: str, value: float, shade: Shade) -> Markup:
    distance, more = _distance(value, shade)
    level = sum(distance >= edge for edge in EDGES[shade])
    kind = f" ts-token-{'more' if more else 'less'}-{level}" if level else ""
    figure = f"{value:+.3g}" if shade == "advantage" else f"{value:.3g}"
    # A line's end has no width to be shaded.
    shown = token.replace("\n", "↵\n") or _EMPTY
    return html(
        '<span class="ts-token{}" title="{}">{}<span class="ts-unseen"> ({}) </span></span>',
        kind,
        figure,
        shown,
        figure,
    )


def _distance(value: float, shade: Shade) -> tuple[float, bool]:
    """How far from what is neither more nor less, on the scale of ``EDGES``, and whether it is more."""
    if shade == "ratio":
        return (max(value, 1 / value) if value > 0 else math.inf), value >= 1
    return abs(value), value >= 0
