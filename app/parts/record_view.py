"""Records on a page: as they are stored, and as a model sees them, with the tokens that it learns marked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from app.i18n import Phrase, phrases, say
from app.parts.html import html, join, notice, number, stat
from studio_core.data.preview import Segment
from studio_core.data.shapes import Message, Record, Shape, calls_of
from studio_core.data.tokenized import Preview

SHOWN = 2_000
"""Characters of one text that are shown; the rest is counted."""
OPENED = 200_000
"""Characters of one text of a record that is shown in full."""
SEGMENT = 20_000
"""Characters of one stretch of a preview."""


def stored(records: Sequence[Record], first: int, language: str) -> Markup:
    """Records one below the other, numbered from ``first``."""
    return html(
        '<ol class="ts-records">{}</ol>',
        join(_card(record, number_, language) for number_, record in enumerate(records, start=first)),
    )


def in_full(record: Record, language: str) -> Markup:
    """One record as a conversation, with its other fields."""
    fields = (_field(name, value, language, OPENED) for name, value in record.items() if value is not None)
    return html('<div class="ts-record-full">{}</div>', join(fields))


def _card(record: Record, number_: int, language: str) -> Markup:
    fields = join(_field(name, value, language) for name, value in record.items() if value is not None)
    return html(
        '<li class="ts-record" value="{0}"><span class="ts-record-number">{1}</span><div>{2}</div></li>',
        number_,
        number(number_),
        fields,
    )


def _field(name: str, value: Any, language: str, most: int = SHOWN) -> Markup:
    if isinstance(value, list):
        body = join(
            _turn(item, language, most) if isinstance(item, dict) else _step(item, language, most)
            for item in value
        )
        heading = say(f"data.part_{name}", language) if name in ("chosen", "rejected") else ""
        mark = html('<div class="ts-side-name">{}</div>', heading) if heading else Markup()
        return html('<div class="ts-field ts-field-{}">{}{}</div>', name, mark, body)
    # Before all else that is no list: to Python True is a number.
    if isinstance(value, bool):
        text = say("data.label_good" if value else "data.label_bad", language)
        return html('<div class="ts-field"><span class="ts-badge ts-badge-{}">{}</span></div>',
                    "good" if value else "bad", text)  # fmt: skip
    label = Markup() if name == "text" else html('<span class="ts-turn-role">{}</span>', name)
    return html(
        '<div class="ts-turn">{}<div class="ts-turn-text">{}</div></div>', label, _cut(value, language, most)
    )


def _step(item: Any, language: str, most: int) -> Markup:
    """A step of a solution, or whether one is right."""
    if isinstance(item, bool):
        item = say("data.label_good" if item else "data.label_bad", language)
    return html('<div class="ts-turn"><div class="ts-turn-text">{}</div></div>', _cut(item, language, most))


def _turn(message: Message, language: str, most: int) -> Markup:
    role = message["role"]
    name = html(' <span class="ts-muted">{}</span>', message["name"]) if "name" in message else Markup()
    unlearnt = html(' <span class="ts-badge">{}</span>', say("data.turn_not_learnt", language))
    return html(
        '<div class="ts-turn ts-turn-{0}"><span class="ts-turn-role">{1}{2}{3}</span><div>{4}'
        '<div class="ts-turn-text">{5}</div>{6}</div></div>',
        role,
        say(f"data.role_{role}", language),
        name,
        unlearnt if message.get("train") is False else Markup(),
        _beside("reasoning", message.get("reasoning"), language, most),
        _cut(message["content"], language, most),
        _beside("tool_calls", _calls(message), language, most),
    )


def _beside(what: str, text: str | None, language: str, most: int) -> Markup:
    """What a turn has besides its text."""
    if not text:
        return Markup()
    return html(
        '<div class="ts-turn-beside"><span class="ts-turn-role">{}</span><div class="ts-turn-text">{}</div></div>',
        say(f"data.turn_{what}", language),
        _cut(text, language, most),
    )


def _calls(message: Message) -> str:
    return "\n".join(
        f"{call['name']}({json.dumps(call['arguments'], ensure_ascii=False)})" for call in calls_of(message)
    )


def _cut(value: Any, language: str, most: int) -> Markup:
    text = str(value)
    if len(text) <= most:
        return html("{}", text)
    more = say("data.more_characters", language, n=number(len(text) - most))
    return html('{}… <span class="ts-muted">{}</span>', text[:most], more)


def as_the_model_sees_it(preview: Preview, shape: Shape, record: Record, language: str) -> Markup:
    """The record's tokens as text: trained ones marked, cut ones struck out."""
    phrase = phrases("data.", language)
    figures = [
        stat(phrase("tokens"), " / ".join(map(number, preview.lengths))),
        stat(phrase("tokens_trained"), number(preview.learnt)),
        stat(phrase("tokens_cut"), number(preview.cut)),
    ]
    notes = [notice("info", phrase("template_standard"))] if preview.standard else []
    if shape is Shape.CHAT and not preview.marks_answers:
        notes.append(notice("info", phrase("template_unmarked")))
    notes += [notice("info", phrase(f"rendering_{name}")) for name in preview.notes]
    if shape in (Shape.PROMPT_ONLY, Shape.STEPWISE):
        notes.append(notice("info", phrase(f"preview_{shape}")))
    elif preview.learnt == 0:
        notes.append(notice("warn", phrase("nothing_trained")))
    return html(
        '<div class="ts-preview"><div class="ts-figures">{}</div>{}{}{}</div>',
        join(figures),
        join(notes),
        _legend(phrase, avoided=record.get("label") is False),
        _blocks(preview.segments, phrase),
    )


def _legend(phrase: Phrase, *, avoided: bool) -> Markup:
    """What the marks mean; ``avoided``: the answer was rated bad."""
    return html(
        '<p class="ts-legend"><mark class="ts-trained">{}</mark> <span class="ts-seen">{}</span> '
        '<del class="ts-cut">{}</del></p>',
        phrase("legend_avoided" if avoided else "legend_trained"),
        phrase("legend_seen"),
        phrase("legend_cut"),
    )


def _blocks(parts: Sequence[Segment], phrase: Phrase) -> Markup:
    """The stretches of text; of a pair, each side under its name."""
    blocks: dict[str, list[Markup]] = {}
    for segment in parts:
        blocks.setdefault(segment.part, []).append(_segment(segment))
    return join(
        html(
            '{}<pre class="ts-tokens" tabindex="0">{}</pre>',
            html('<h3 class="ts-side-name">{}</h3>', _part_name(part, phrase)) if part else Markup(),
            join(stretches),
        )
        for part, stretches in blocks.items()
    )


def _part_name(part: str, phrase: Any) -> str:
    """Of an answer of a ranking its place."""
    name, _, place = part.partition(" ")
    return str(phrase(f"part_{name}", place=place) if place else phrase(f"part_{name}"))


def _segment(segment: Segment) -> Markup:
    # Each stretch by itself, so that the end of a long record is seen too.
    text = segment.text if len(segment.text) <= SEGMENT else f"{segment.text[:SEGMENT]}…"
    if segment.cut:
        return html('<del class="ts-cut">{}</del>', text)
    if segment.trained:
        return html('<mark class="ts-trained">{}</mark>', text)
    return html('<span class="ts-seen">{}</span>', text)
