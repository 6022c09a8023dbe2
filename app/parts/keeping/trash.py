"""What deleting would do, what it did, and what can still be brought back."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from app.i18n import say
from app.parts.html import ago, html, join, notice, size, table
from studio_core.base.studio import Studio
from studio_core.base.tables import Deletion
from studio_core.keeping import deleting
from studio_core.keeping.deleting import Effect
from studio_core.keeping.thing import Dependant

_NAMED = 5
"""Names that are told of things that depend; of more, their number."""


def asked(effects: Sequence[Effect], language: str) -> Markup:
    """Whether these are to be deleted: what hangs on each, and what the disk gains."""
    free = [effect for effect in effects if not effect.blocked]
    lines = join(_line(effect, language) for effect in effects)
    button = Markup()
    if free:
        words = say("keeping.delete_now", language, n=len(free), size=size(sum(one.bytes for one in free)))
        button = html(
            '<button type="button" class="ts-button" data-keep="delete_now" data-ids="{}">{}</button>',
            ",".join(str(effect.id) for effect in free),
            words,
        )
    keep = html(
        '<button type="button" class="ts-button" data-keep="dismiss">{}</button>',
        say("keeping.keep", language),
    )
    body = html(
        "<strong>{}</strong><ul>{}</ul><p>{}</p><div class='ts-row'>{}{}</div>",
        say("keeping.delete_asked", language, n=len(effects)),
        lines,
        say("keeping.delete_kept", language),
        button,
        keep,
    )
    return notice("warn", body)


def _line(effect: Effect, language: str) -> Markup:
    hangs = join(
        html(
            "<li{}>{}</li>",
            Markup(' class="ts-keep-blocks"') if one.blocks else Markup(),
            words(one, language),
        )
        for one in effect.dependants
    )
    below = html("<ul>{}</ul>", hangs) if hangs else Markup()
    return html('<li>{} <span class="ts-muted">{}</span>{}</li>', effect.name, size(effect.bytes), below)


def words(dependant: Dependant, language: str) -> str:
    """What hangs on a thing, in a sentence."""
    shown = ", ".join(dependant.names[:_NAMED])
    more = f" (+{len(dependant.names) - _NAMED})" if len(dependant.names) > _NAMED else ""
    return say(f"keeping.hangs_{dependant.key}", language, others=f"{shown}{more}")


def done(deletions: Sequence[Deletion], language: str) -> Markup:
    """What was deleted, with the way back."""
    ids = ",".join(str(deletion.id) for deletion in deletions)
    freed = size(sum(deletion.bytes for deletion in deletions))
    return notice(
        "good",
        html(
            '{} <button type="button" class="ts-button" data-keep="undo" data-ids="{}">{}</button>',
            say("keeping.deleted", language, n=len(deletions), size=freed),
            ids,
            say("keeping.undo", language),
        ),
    )


def listed(studio: Studio, language: str, kind: str = "") -> Markup:
    """What can still be brought back, of one kind or of all; nothing if there is none."""
    rows = [row for row in deleting.recent(studio) if not kind or row.kind == kind]
    if not rows:
        return Markup()
    return html(
        '<details class="ts-keep-trash"><summary>{}</summary>{}</details>',
        say("keeping.trash", language, n=len(rows)),
        _table(rows, language),
    )


def table_of(studio: Studio, language: str) -> Markup:
    """All that can still be brought back, with who deleted it."""
    rows = deleting.recent(studio)
    title = html("<h2>{}</h2>", say("keeping.trash", language, n=len(rows)))
    return html('<section class="ts-stack">{}{}</section>', title, _table(rows, language) if rows else "")


def _table(rows: Sequence[Deletion], language: str) -> Markup:
    heads = [say(f"keeping.col_{name}", language) for name in ("name", "kind", "size", "deleted", "undo")]
    lines = [
        [
            row.name,
            say(f"keeping.kind_{row.kind}", language),
            size(row.bytes),
            ago(row.at, language),
            html(
                '<button type="button" class="ts-button" data-keep="undo" data-ids="{}">{}</button>',
                row.id,
                say("keeping.undo", language),
            ),
        ]
        for row in rows
    ]
    return table(heads, lines)
