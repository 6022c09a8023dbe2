"""What is done with the things that somebody has selected in a list, or with the one whose page it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.access import STAFF, only
from app.files import asset
from app.i18n import language_of, say
from app.parts.events import ASKED
from app.parts.handlers import Updates, safely
from app.parts.html import html, join, notice, panel
from app.parts.keeping import trash
from studio_core import texts
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.keeping import deleting, marks
from studio_core.keeping.thing import Thing

Redraw = Callable[..., Updates]
"""What an action changes on the page besides the board."""


def board(elem_id: str, around: str) -> gr.HTML:
    """The place of the board; ``around`` is the id of what holds the boxes and buttons that it listens to."""
    script = f"import('{asset('js/keeping.js')}').then((m) => m.mount(element, trigger, '{around}')); 'act'"
    return panel(elem_id, js_on_load=script)


def listen(
    studio: Studio,
    thing: Thing | None,
    place: gr.HTML,
    redraw: Redraw,
    outputs: Sequence[Any],
    bar: bool = True,
    inputs: Sequence[Any] = (),
) -> None:
    """Carry out what is asked of the board, say what was done, and draw anew what it changed.

    Without a ``thing`` deletions can be undone, and nothing else. ``redraw`` is given the values of ``inputs`` too.
    """

    @only(STAFF)
    @safely
    def act(request: gr.Request, event: gr.EventData, *given: Any) -> Updates:
        language = language_of(request)
        told = carry_out(studio, thing, event._data, language)
        changed = redraw(request, *given)
        body = toolbar(thing, language) if bar and thing else changed.get(place, "")
        return {**changed, place: html("{}{}", told, body)}

    place.act(act, list(inputs), [place, *outputs], trigger_mode="multiple", **ASKED)


def toolbar(thing: Thing, language: str) -> Markup:
    """Unseen until something is selected."""
    actions = ["star", "archive", "unarchive", "delete"]
    buttons = join(_button(action, language) for action in actions)
    compare = Markup()
    if thing.name == "run":
        compare = html(
            '<button type="button" class="ts-button ts-button-primary" id="runs-compare" data-keep="compare">'
            "{}</button>",
            say("keeping.compare", language),
        )
    return html(
        '<div class="ts-keep-bar" role="toolbar" aria-label="{}" hidden><label class="ts-find-check">'
        '<input type="checkbox" data-select-all> <span data-selected="{}"></span></label>'
        '<input data-keep-value maxlength="{}" placeholder="{}" aria-label="{}">{}{}{}</div>',
        say("keeping.toolbar", language),
        texts.catalogue(language)["keeping.selected"],  # The script fills the number in.
        marks.LONGEST_TAG,
        say("keeping.tag_hint", language),
        say("keeping.tag_hint", language),
        join(_button(action, language) for action in ("tag", "untag")),
        compare,
        buttons,
    )


def _button(action: str, language: str) -> Markup:
    return html(
        '<button type="button" class="ts-button" data-keep="{}">{}</button>',
        action,
        say(f"keeping.{action}", language),
    )


def carry_out(studio: Studio, thing: Thing | None, asked: Any, language: str) -> Markup:
    """What a button asks for: ``{"action": "tag", "ids": [1, 2], "value": "good"}``; checked as all a page sends."""
    action, ids, value = _read(asked)
    if action == "undo":
        # What was deleted last is the oldest, which others may need.
        names = [deleting.undo(studio, id) for id in sorted(ids, reverse=True)]
        return notice("good", say("keeping.brought_back", language, names=", ".join(names)))
    if thing is None:
        raise BadInput("keeping.unknown_action", action=action)
    if action in ("star", "unstar"):
        marks.change(studio, thing, ids, starred=action == "star")
        return Markup()
    if action in ("archive", "unarchive"):
        marks.change(studio, thing, ids, archived=action == "archive")
        return notice("good", say(f"keeping.done_{action}", language, n=len(ids)))
    if action in ("tag", "untag"):
        tags = [str(value)]
        marks.change(studio, thing, ids, **{"add" if action == "tag" else "remove": tags})
        return Markup()
    if action == "save" and isinstance(value, dict) and len(ids) == 1:
        _save(studio, thing, ids[0], value)
        return notice("good", say("keeping.saved", language))
    if action == "card" and isinstance(value, dict) and len(ids) == 1:
        marks.change(studio, thing, ids, card=str(value.get("card", "")))
        return notice("good", say("keeping.saved", language))
    if action == "delete":
        return trash.asked(deleting.effects(studio, thing, ids), language)
    if action == "delete_now":
        return trash.done(deleting.remove(studio, thing, ids), language)
    raise BadInput("keeping.unknown_action", action=str(action)[:40])


def _read(asked: Any) -> tuple[str, list[int], Any]:
    if not isinstance(asked, dict):
        raise BadInput("keeping.unknown_action", action="")
    action, ids = str(asked.get("action"))[:40], asked.get("ids")
    if not isinstance(ids, list) or not ids or not all(type(id) is int and 0 < id < 2**53 for id in ids):
        raise BadInput("keeping.nothing_selected")
    return action, list(dict.fromkeys(ids)), asked.get("value")


def _save(studio: Studio, thing: Thing, id: int, value: dict[str, Any]) -> None:
    """Name, tags and note, as the card's form has them; the name last, as it alone may be refused by others."""
    wanted = [tag for tag in str(value.get("tags", "")).replace("，", ",").split(",") if tag.strip()]
    before = marks.of(studio, thing, [id]).get(id)
    checked = {marks.checked_tag(tag) for tag in wanted}
    gone = [tag for tag in (before.tags if before else []) if tag not in checked]
    marks.change(studio, thing, [id], add=sorted(checked), remove=gone, note=str(value.get("note", "")))
    if thing.rename is not None and "name" in value:
        marks.rename(studio, thing, id, str(value["name"]))
