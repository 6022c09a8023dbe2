"""Storage: what takes the disk, the rule for old checkpoints, and what was deleted and can still be brought back."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts.events import ASKED, on_open
from app.parts.handlers import Updates, safely
from app.parts.html import empty, heading, html, join, notice, panel, size, stat, table
from app.parts.keeping import board, trash
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.keeping import deleting, storage

NAME = "storage"
PATH = "/storage"
WITHIN = "settings"


def build(studio: Studio) -> None:
    heading("keeping.storage_title", "keeping.storage_lead", level=1)
    shown = panel("storage-usage")
    with gr.Column(elem_classes="ts-card", elem_id="storage-rule"):
        heading("keeping.rule_title", "keeping.rule_lead")
        with gr.Row():
            days = gr.Number(
                storage.OLD, precision=0, minimum=0, maximum=storage.LONGEST_DAYS,
                label=t("keeping.rule_days"), elem_id="storage-days", scale=0, min_width=200,
            )  # fmt: skip
        with gr.Row(elem_classes="ts-run-actions"):
            look = gr.Button(t("keeping.rule_look"), elem_id="storage-look", scale=0, min_width=140)
            thin = gr.Button(
                t("keeping.rule_apply"), elem_id="storage-thin", variant="stop", scale=0, min_width=140
            )
        answer = panel("storage-answer")
    kept, deleted = board.board("storage-keep", "storage-deleted"), panel("storage-deleted")
    with gr.Row():
        empty_now = gr.Button(
            "", elem_id="storage-empty", variant="stop", scale=0, min_width=160, visible=False
        )

    def drawn(request: gr.Request) -> Updates:
        language = language_of(request)
        gone = deleting.recent(studio)
        words = say("keeping.empty_now", language, size=size(sum(row.bytes for row in gone)))
        return {
            shown: usage_of(studio, language),
            deleted: trash.table_of(studio, language),
            empty_now: gr.update(value=words, visible=bool(gone)),
        }

    @safely
    def looked(days: Any, request: gr.Request) -> Updates:
        found = storage.old_checkpoints(studio, _days(days))
        return {answer: old_ones(found, language_of(request))}

    @safely
    def thinned(days: Any, request: gr.Request) -> Updates:
        n, freed = storage.thin(studio, _days(days))
        words = say("keeping.thinned", language_of(request), n=n, size=size(freed))
        return {answer: notice("good", words), **drawn(request)}

    @safely
    def emptied(request: gr.Request) -> Updates:
        freed = deleting.empty(studio, deleting.recent(studio))
        words = say("keeping.page_emptied", language_of(request), size=size(freed))
        return {answer: notice("good", words), **drawn(request)}

    places = [shown, deleted, empty_now]
    on_open(drawn, places)
    board.listen(studio, None, kept, drawn, places, bar=False)
    look.click(looked, [days], [answer], **ASKED)
    thin.click(thinned, [days], [answer, *places], trigger_mode="once", **ASKED)
    empty_now.click(emptied, None, [answer, *places], trigger_mode="once", **ASKED)


def _days(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise BadInput("keeping.bad_days", days=str(value)[:20], most=storage.LONGEST_DAYS)
    return int(value)


def usage_of(studio: Studio, language: str) -> Markup:
    """The areas as figures, and the largest things."""
    used = storage.usage(studio)
    figures = [stat(say("keeping.area_free", language), size(used.free))]
    figures += [
        stat(say(f"keeping.area_{area}", language), size(taken)) for area, taken in used.areas.items()
    ]
    heads = [say(f"keeping.col_{name}", language) for name in ("name", "kind", "size")]
    rows = [
        [
            html('<a href="{}">{}</a>', item.address, item.name),
            say(f"keeping.area_{item.area}", language),
            size(item.bytes),
        ]
        for item in used.items
    ]
    body = table(heads, rows) if rows else empty(say("keeping.storage_none", language))
    return html(
        '<div class="ts-stack"><section class="ts-card"><div class="ts-figures">{}</div></section>'
        "<section><h2>{}</h2>{}</section></div>",
        join(figures),
        say("keeping.storage_largest", language),
        body,
    )


def old_ones(found: list[storage.Old], language: str) -> Markup:
    """What the rule would remove."""
    if not found:
        return notice("info", say("keeping.rule_none", language))
    heads = [say(f"keeping.col_{name}", language) for name in ("name", "step", "size")]
    rows = [
        [html('<a href="/runs?run={0}">{0} · {1}</a>', old.job, old.run), old.step, size(old.bytes)]
        for old in found[:100]
    ]
    total = size(sum(old.bytes for old in found))
    words = say("keeping.rule_found", language, n=len(found), size=total)
    return html("{}{}", notice("warn", words), table(heads, rows))
