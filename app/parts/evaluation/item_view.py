"""How items look: the question, what a right answer says, and both answers with their scores and the reasons."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from app.i18n import Phrase, phrases, say
from app.parts.html import NOTHING, empty, html, join, number
from studio_core.evaluation import browsing
from studio_core.evaluation.browsing import Pair
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.evaluation.sentences import figure
from studio_core.labeling.words import difference
from studio_core.runs.rollouts import Turn

SHOWN = 4_000
"""Characters of one text; the rest is counted."""
# More would fill the screen with one item; all are in the file.
MOST_SAMPLES = 3
TURNS = ("assistant", "tool", "user")
"""Who writes in an exchange with tools or with a simulated user."""


def title(language: str) -> Markup:
    phrase = phrases("evaluation.", language)
    return html('<h2>{}</h2><p class="ts-muted">{}</p>', phrase("items"), phrase("items_help"))


def position(total: int, offset: int, rows: int, language: str) -> Markup:
    if not total:
        return Markup()
    first, last = number(offset + 1), number(min(offset + rows, total))
    words = say("evaluation.item_range", language, first=first, last=last, total=number(total))
    return html('<p class="ts-muted" aria-live="polite">{}</p>', words)


def items(pair: Pair, places: Sequence[int], marked: bool, language: str) -> Markup:
    """``marked``: what only one of the two answers says is marked, word by word."""
    if not places:
        return empty(say("evaluation.item_none", language))
    phrase = phrases("evaluation.", language)
    rows = zip(places, pair.read(places), strict=True)
    return join(
        _item(pair, place, before, after, marked, phrase, language) for place, (before, after) in rows
    )


def _item(
    pair: Pair,
    place: int,
    before: AnsweredItem,
    after: AnsweredItem,
    marked: bool,
    phrase: Phrase,
    language: str,
) -> Markup:
    key = (
        html('<p class="ts-item-key">{}: <b>{}</b></p>', phrase("item_key"), _cut(after.key))
        if after.key
        else ""
    )
    texts = tuple(
        _exchanges(row, phrase) or text
        for row, text in zip(
            (before, after),
            _marked(before, after) if marked else (_plain(before), _plain(after)),
            strict=True,
        )
    )
    sides = join(
        _side(each.model, row, text, each.figures.get("unit", "share"), phrase, language)
        for each, row, text in zip((pair.before, pair.after), (before, after), texts, strict=True)
    )
    return html(
        '<section class="ts-card ts-item"><header><span class="ts-muted">{}{}</span>{}</header>{}{}'
        '<div class="ts-item-sides">{}</div></section>',
        phrase("item_number", item=after.item),
        html(" · {}", after.kind) if after.kind else "",
        _buttons(place, phrase),
        join(_turn(message["role"], message["content"]) for message in after.prompt),
        key,
        sides,
    )


def _turn(role: str, content: str) -> Markup:
    return html('<div class="ts-prompt ts-prompt-{}" dir="auto">{}</div>', role, _cut(content))


def _plain(row: AnsweredItem) -> Markup:
    return join(_answer(html("{}", _cut(answer))) for answer in row.answers[:MOST_SAMPLES])


def _exchanges(row: AnsweredItem, phrase: Phrase) -> Markup:
    """All turns of each answer; nothing where answers have one turn."""
    if all(len(turns) < 2 for turns in row.turns):
        return Markup()
    shown = (
        html('<div class="ts-item-turns">{}</div>', join(_exchanged(turn, phrase) for turn in turns))
        for turns in row.turns[:MOST_SAMPLES]
    )
    return join(shown)


def _exchanged(turn: Turn, phrase: Phrase) -> Markup:
    role = turn["role"]
    return html(
        '<div class="ts-item-turn-{}"><span class="ts-muted">{}</span>{}</div>',
        "model" if role == "assistant" else "other",
        phrase(f"turn_{role if role in TURNS else 'other'}"),
        _answer(html("{}", _cut(turn["content"]))),
    )


def _marked(before: AnsweredItem, after: AnsweredItem) -> tuple[Markup, Markup]:
    """The first answer of each, with what the other does not say."""
    both = [_cut(row.answers[0]) if row.answers else "" for row in (before, after)]
    left, right = (
        _answer(join(html("<mark>{}</mark>" if only else "{}", piece) for only, piece in pieces))
        for pieces in difference(*both)
    )
    return left, right


def _answer(text: Markup) -> Markup:
    return html('<div class="ts-rollout-answer" dir="auto">{}</div>', text or NOTHING)


def _side(model: str, row: AnsweredItem, shown: Markup, unit: str, phrase: Phrase, language: str) -> Markup:
    notes = [browsing.reason(row, language)]
    if len(row.answers) > 1:
        notes.append(phrase("samples", n=len(row.answers)))
    cut = html('<span class="ts-badge ts-badge-warn">{}</span>', phrase("cut")) if row.truncated else ""
    return html(
        '<div class="ts-item-side"><header><b>{}</b>{}{}</header>{}<p class="ts-muted">{}</p></div>',
        model,
        _value(row, unit, phrase),
        cut,
        shown,
        " · ".join(note for note in notes if note),
    )


def _value(row: AnsweredItem, unit: str, phrase: Phrase) -> Markup:
    """In words first: right, wrong, or the figure in between."""
    if not math.isfinite(row.value):
        kind, words = "none", phrase("value_none")
    elif unit == "share" and row.value in (0, 1):
        kind, words = ("good", phrase("value_right")) if row.value else ("bad", phrase("value_wrong"))
    else:
        kind, words = "none", figure(row.value, unit)  # type: ignore[arg-type]
    return html('<span class="ts-item-value ts-item-{}">{}</span>', kind, words)


def _buttons(place: int, phrase: Phrase) -> Markup:
    return html(
        '<span class="ts-actions">{}</span>',
        join(
            html(
                '<button type="button" class="ts-button" data-item="{}" data-kind="{}" title="{}">{}</button>',
                place,
                kind,
                phrase(f"to_{kind}_help"),
                phrase(f"to_{kind}"),
            )
            for kind in ("pair", "answer", "label")
        ),
    )


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… (+{len(text) - SHOWN:,})"
