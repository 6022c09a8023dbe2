"""How a thing's marks look: box and star in a list, tags, and the card in which they are changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from app.i18n import say
from app.parts.html import html, join
from app.parts.markdown import below, rendered
from studio_core.base.tables import Mark
from studio_core.keeping.marks import LONGEST_NOTE
from studio_core.keeping.thing import Thing


def named(thing: Thing, row: Any, mark: Mark | None, name: Markup | str, path: str, language: str) -> Markup:
    """The first cell of a line: a box to select it, its star, its name, its tags."""
    return html(
        '<div class="ts-kept"><input type="checkbox" data-select="{}" aria-label="{}">{}<div>{}{}</div></div>',
        row.id,
        say("keeping.select", language, name=thing.label(row)),
        star(thing, row, mark, language),
        name,
        tags(mark, path, language),
    )


def star(thing: Thing, row: Any, mark: Mark | None, language: str) -> Markup:
    on = bool(mark and mark.starred)
    return html(
        '<button type="button" class="ts-star" data-keep="{}" data-ids="{}" aria-pressed="{}" aria-label="{}">'
        "{}</button>",
        "unstar" if on else "star",
        row.id,
        "true" if on else "false",
        say("keeping.star_of", language, name=thing.label(row)),
        "★" if on else "☆",
    )


def tags(mark: Mark | None, path: str, language: str) -> Markup:
    """Each leads to the list of all that have it."""
    if not mark or not (mark.tags or mark.archived):
        return Markup()
    links = [
        html('<a class="ts-tag" href="{}?q={}">{}</a>', path, quote(f"tag:{tag}", safe=""), tag)
        for tag in mark.tags
    ]
    if mark.archived:
        links.append(html('<span class="ts-tag">{}</span>', say("keeping.archived", language)))
    return html('<div class="ts-tags">{}</div>', join(links))


def note(mark: Mark | None) -> Markup:
    """A note as it reads; nothing in it can act."""
    return (
        html('<div class="ts-note">{}</div>', below(rendered(mark.note), 2))
        if mark and mark.note
        else Markup()
    )


def card(thing: Thing, row: Any, mark: Mark | None, name: str, path: str, language: str) -> Markup:
    """On a thing's own page: star, tags, note, and what changes them, its name, and whether it is there at all."""
    archived = bool(mark and mark.archived)
    buttons = join(
        html(
            '<button type="button" class="ts-button" data-keep="{}" data-ids="{}">{}</button>',
            action,
            row.id,
            say(f"keeping.{action}", language),
        )
        for action in ("unarchive" if archived else "archive", "delete")
    )
    return html(
        '<section class="ts-keep-card"><div class="ts-row">{}{}<details class="ts-keep-edit"><summary '
        'class="ts-quiet">{}</summary>{}</details>{}</div>{}</section>',
        star(thing, row, mark, language),
        tags(mark, path, language),
        say("keeping.edit", language),
        _form(row, mark, name, thing.rename is not None, language),
        buttons,
        note(mark),
    )


def _form(row: Any, mark: Mark | None, name: str, named_: bool, language: str) -> Markup:
    fields: Sequence[Markup] = [
        html(
            '<label>{}<input name="name" value="{}" maxlength="80"></label>',
            say("keeping.name", language),
            name,
        )
        if named_
        else Markup(),
        html(
            '<label>{}<input name="tags" value="{}"></label>',
            say("keeping.tags_edit", language),
            ", ".join(mark.tags) if mark else "",
        ),
        html(
            '<label>{}<textarea name="note" rows="5" maxlength="{}">{}</textarea></label>',
            say("keeping.note_edit", language),
            LONGEST_NOTE,
            mark.note if mark else "",
        ),
    ]
    return html(
        '<div class="ts-keep-form">{}<button type="button" class="ts-button ts-button-primary" data-keep="save" '
        'data-ids="{}">{}</button></div>',
        join(fields),
        row.id,
        say("keeping.save", language),
    )
