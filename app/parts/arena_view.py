"""How the arena looks: ratings with their intervals, what they say in words, and who met whom."""

from __future__ import annotations

from markupsafe import Markup

from app.i18n import Phrase, phrases, say
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


def shown(arena: Arena, language: str) -> Markup:
    """Ratings, words and the table of pairs; if nobody has played yet, what to do."""
    if not arena.games:
        return html("{}{}", empty(say("labeling.arena_no_games", language)), _left_out(arena, language))
    phrase = phrases("labeling.arena_", language)
    words = join(html("<li>{}</li>", sentence) for sentence in arena_of.sentences(arena, language))
    return html(
        '<div class="ts-stack">{}<section><h2>{}<span class="ts-muted ts-arena-games">{}</span></h2>'
        '<ul class="ts-arena-words">{}</ul>{}</section><section><h2>{}</h2>{}</section></div>',
        _ratings(arena, phrase) if any(row.rating is not None for row in arena.standings) else "",
        phrase("in_words"),
        phrase("games", games=number(arena.games)),
        words,
        _left_out(arena, language),
        phrase("pairs"),
        _pairs(arena, phrase, language),
    )


def _ratings(arena: Arena, phrase: Phrase) -> Markup:
    scale = Scale.around(
        [value for row in arena.standings for value in (row.low, row.high) if value is not None]
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
        for row in arena.standings
    ]
    heads = [phrase(f"col_{name}") for name in ("rank", "model", "rating", "interval", "votes")]
    return html(
        '<section><h2>{}</h2><div class="ts-arena-ratings">{}</div><p class="ts-muted">{}</p></section>',
        phrase("ratings"),
        table(heads, rows),
        phrase("how"),
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


def _pairs(arena: Arena, phrase: Phrase, language: str) -> Markup:
    rows = [[pair.one, pair.other, outcomes.sentence(pair.one, pair.found, language)] for pair in arena.pairs]
    return table([phrase(f"col_{name}") for name in ("one", "other", "direct")], rows)


def _left_out(arena: Arena, language: str) -> Markup:
    """Votes that do not count, and why."""
    if not arena.left_out:
        return Markup()
    why = ", ".join(
        say(f"labeling.arena_left_{name}", language, votes=number(votes))
        for name, votes in arena.left_out.items()
    )
    return notice("info", say("labeling.arena_left_out", language, why=why))
