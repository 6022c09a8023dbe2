"""How the arena looks: ratings with their intervals, what they say in words, and who met whom."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from app.i18n import say
from app.parts.html import NOTHING, empty, html, join, notice, number, table
from app.parts.intervals import Scale, interval
from studio_core.labeling import arena as arena_of
from studio_core.labeling import outcomes
from studio_core.labeling.arena import Arena, Standing
from studio_core.statistics.ranking import CENTRE


def page_head(language: str) -> Markup:
    return html(
        '<header class="ts-head"><h1>{}</h1><p>{}</p></header>',
        say("labeling.arena_title", language),
        say("labeling.arena_lead", language),
    )


def shown(found: Arena, language: str) -> Markup:
    """Ratings, words and the table of pairs; if nobody has played yet, what to do."""
    if not found.games:
        return html("{}{}", empty(say("labeling.arena_no_games", language)), _left_out(found, language))

    def said(key: str, **values: Any) -> str:
        return say(f"labeling.arena_{key}", language, **values)

    words = join(html("<li>{}</li>", sentence) for sentence in arena_of.sentences(found, language))
    return html(
        '<div class="ts-stack">{}<section><h2>{}<span class="ts-muted ts-arena-games">{}</span></h2>'
        '<ul class="ts-arena-words">{}</ul>{}</section><section><h2>{}</h2>{}</section></div>',
        _ratings(found, said) if any(row.rating is not None for row in found.standings) else "",
        said("in_words"),
        said("games", games=number(found.games)),
        words,
        _left_out(found, language),
        said("pairs"),
        _pairs(found, said, language),
    )


def _ratings(found: Arena, said: Any) -> Markup:
    scale = Scale.around(
        [value for row in found.standings for value in (row.low, row.high) if value is not None]
    )
    rows = [
        [
            _rank(row),
            html("<strong>{}</strong>", row.model),
            _rating(row),
            interval(row.low, row.rating, row.high, scale, mark=CENTRE)
            if row.rating is not None
            else NOTHING,
            number(row.games),
        ]
        for row in found.standings
    ]
    heads = [said(f"col_{name}") for name in ("rank", "model", "rating", "interval", "votes")]
    return html(
        '<section><h2>{}</h2><div class="ts-arena-ratings">{}</div><p class="ts-muted">{}</p></section>',
        said("ratings"),
        table(heads, rows),
        said("how"),
    )


def _rank(row: Standing) -> str:
    if row.rank is None:
        return NOTHING
    return number(row.rank) if row.rank == row.last else f"{row.rank} – {row.last}"


def _rating(row: Standing) -> Markup | str:
    if row.rating is None or row.low is None or row.high is None:
        return NOTHING
    return html(
        '<strong>{:.0f}</strong> <span class="ts-muted">({:.0f} – {:.0f})</span>',
        row.rating,
        row.low,
        row.high,
    )


def _pairs(found: Arena, said: Any, language: str) -> Markup:
    rows = [[pair.one, pair.other, outcomes.sentence(pair.one, pair.found, language)] for pair in found.pairs]
    return table([said(f"col_{name}") for name in ("one", "other", "direct")], rows)


def _left_out(found: Arena, language: str) -> Markup:
    """Votes that do not count, and why."""
    if not found.left_out:
        return Markup()
    why = ", ".join(
        say(f"labeling.arena_left_{name}", language, votes=number(votes))
        for name, votes in found.left_out.items()
    )
    return notice("info", say("labeling.arena_left_out", language, why=why))
