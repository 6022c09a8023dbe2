"""The queue on the Runs page: what waits, why, in which order, and buttons to change that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.files import mounts
from app.i18n import language_of, say
from app.parts import run_words
from app.parts.events import ASKED
from app.parts.handlers import safely
from app.parts.html import html, join, notice, table
from studio_core.base.errors import BadInput
from studio_core.base.states import Stop
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.runs import order, queue
from studio_core.runs.kinds import LISTED
from studio_core.runs.reasons import waiting_reasons

SHOWN = 50
"""Rows at most; who has more waiting reorders on the command line."""
PLACES = ("first", "up", "down", "last")


def queue_panel(studio: Studio) -> gr.HTML:
    """The panel; its buttons act on the queue and draw it again."""
    script = f"{mounts('js/queue.js', 'trigger')}; 'act'"
    panel = gr.HTML(apply_default_css=False, elem_id="runs-queue", js_on_load=script)

    @safely
    def act(request: gr.Request, event: gr.EventData) -> Markup:
        carry_out(studio, event._data)
        return drawn(studio, language_of(request))

    # Every click counts: two on "up" are two places.
    panel.act(act, None, panel, trigger_mode="multiple", **ASKED)
    return panel


def carry_out(studio: Studio, asked: Any) -> None:
    """What a button of the panel asks for: ``{"action": "up", "job": 12}``; checked as all that a page sends."""
    action, number = (asked.get("action"), asked.get("job")) if isinstance(asked, dict) else (None, None)
    if action in ("pause", "go_on"):
        queue.pause(studio, action == "pause")
    elif isinstance(number, int) and action in PLACES:
        order.move(studio, number, action)
    elif isinstance(number, int) and action == "cancel":
        queue.request_stop(studio, number, Stop.CANCEL)
    else:
        raise BadInput("runs.unknown_action", action=str(action)[:40])


def drawn(studio: Studio, language: str) -> Markup:
    """The waiting runs in their order; only the button to pause where none waits."""
    jobs = [job for job in queue.waiting(studio, limit=SHOWN + 1) if job.kind in LISTED]
    paused = queue.is_paused(studio)
    action = "go_on" if paused else "pause"
    button = html(
        '<button type="button" class="ts-button" id="queue-{0}" data-action="{0}">{1}</button>',
        action,
        say(f"runs.queue_{action}", language),
    )
    head = html(
        '<div class="ts-row ts-queue-head"><h2>{}</h2>{}</div>',
        say("runs.queue", language) if jobs else say("runs.queue_empty", language),
        button,
    )
    paused_notice = notice("warn", say("runs.queue_paused", language)) if paused else Markup()
    return html(
        '<section class="ts-queue">{}{}{}</section>', head, paused_notice, _rows(studio, jobs, language)
    )


def _rows(studio: Studio, jobs: Sequence[Job], language: str) -> Markup:
    if not jobs:
        return Markup()
    heads = [say(f"runs.queue_{name}", language) for name in ("run", "why", "order")]
    shown = jobs[:SHOWN]
    # What has another priority cannot be passed.
    ranks = [None, *(job.priority for job in shown), None]
    reasons = waiting_reasons(studio, shown, language)
    rows = [
        _row(job, reasons.get(job.id, ""), job.priority != ranks[at], job.priority != ranks[at + 2], language)
        for at, job in enumerate(shown)
    ]
    more = Markup()
    if len(jobs) > SHOWN:
        more = html('<p class="ts-muted">{}</p>', say("runs.queue_more", language, shown=SHOWN))
    return html("{}{}", table(heads, rows), more)


def _row(job: Job, reason: str, foremost: bool, hindmost: bool, language: str) -> list[Any]:
    rank = Markup()
    if job.priority:
        rank = html(
            ' <span class="ts-badge">{}</span>', say("runs.queue_priority", language, priority=job.priority)
        )
    name = html("{}{}", run_words.named(job, language), rank)
    why = html('<span class="ts-muted ts-sentence">{}</span>', reason)
    off = {"first": foremost, "up": foremost, "down": hindmost, "last": hindmost}
    buttons = [_button(job, place, off[place], language) for place in PLACES]
    return [
        name,
        why,
        html('<div class="ts-queue-buttons">{}{}</div>', join(buttons), _cancel(job, language)),
    ]


_ARROWS = {"first": "⤒", "up": "↑", "down": "↓", "last": "⤓"}


def _button(job: Job, place: str, off: bool, language: str) -> Markup:
    label = say(f"runs.queue_{place}", language, run=job.id)
    return html(
        '<button type="button" class="ts-button" data-action="{}" data-job="{}" title="{}" aria-label="{}" {}>'
        "{}</button>",
        place,
        job.id,
        label,
        label,
        Markup("disabled") if off else Markup(),
        _ARROWS[place],
    )


def _cancel(job: Job, language: str) -> Markup:
    return html(
        '<button type="button" class="ts-button" data-action="cancel" data-job="{}" aria-label="{}">{}</button>',
        job.id,
        say("runs.queue_cancel", language, run=job.id),
        say("runs.cancel", language),
    )
