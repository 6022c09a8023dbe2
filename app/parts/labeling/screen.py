"""Label: the screen on which people judge, made for the keyboard."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.access import EVERYONE, STAFF, current_user
from app.files import asset
from app.i18n import language_of, say
from app.parts.events import on_open
from app.parts.html import panel
from app.parts.labeling import annotator, guide, opened, screen_view
from studio_core import texts
from studio_core.base.studio import Studio
from studio_core.labeling import projects

NAME = "label"
ROLES = EVERYONE

_WORDS = (
    "progress", "number", "last", "kept", "withdrawn", "offline", "left", "right", "tie", "both_bad", "skip", "rated",
    "ranked", "rank_none", "rank_place", "state_pending", "state_draft", "state_submitted", "state_skipped",
)  # fmt: skip


def build(studio: Studio, tab: gr.Tab) -> None:
    body = panel("label-screen", js_on_load=when_drawn("#label-screen-body", asset("js/label.js")))

    def open_screen(request: gr.Request) -> Any:
        if not request.query_params.get("project"):
            return Markup()
        project, language = opened(studio, request), language_of(request)
        words = json.dumps(words_of(project.mode, language), ensure_ascii=False)
        beside = guide.beside(studio, project, annotator(request), language)
        staff = current_user(request).role in STAFF
        onward = screen_view.onward(projects.root(studio, project), language) if staff else Markup()
        return screen_view.screen(project, words, beside, onward, language)

    on_open(open_screen, body)


def when_drawn(selector: str, script: str) -> str:
    """Mounts a script: what it works on is drawn by the event that opens the page, so that it waits for that."""
    return (
        f"const begin = () => {{ if (element.querySelector('{selector}')) "
        f"import('{script}').then((m) => m.mount(element)); }};"
        "new MutationObserver(begin).observe(element, { childList: true, subtree: true }); begin();"
    )


def words_of(mode: str, language: str) -> dict[str, str]:
    """Sentences for the script, which fills their values in itself."""
    catalogue = {**texts.catalogue(texts.DEFAULT_LANGUAGE), **texts.catalogue(language)}
    words = {name: catalogue[f"labeling.screen_{name}"] for name in _WORDS}
    words |= {name: catalogue[f"chat.{name}"] for name in ("copy_code", "copied")}
    if mode != "pairs":
        words["number"] = catalogue["labeling.screen_number_one"]
    roles = {
        f"role_{role}": say(f"data.role_{role}", language) for role in ("system", "user", "assistant", "tool")
    }
    return {**words, **roles}
