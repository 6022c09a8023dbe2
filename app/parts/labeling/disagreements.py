"""Disagreements: items that people judged differently, with all that they said, and the last word on them."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.access import STAFF, current_user
from app.files import asset
from app.i18n import language_of, phrases
from app.parts.events import on_open
from app.parts.html import html, join, panel
from app.parts.labeling import opened, screen_view
from app.parts.labeling.screen import when_drawn, words_of
from studio_core import texts
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelProject
from studio_core.labeling.projects import settings_of

NAME = "disagreements"
ROLES = STAFF

_WORDS = ("counts", "who", "verdict", "why", "none", "decided", "undone", "edited", "by", "end")


def build(studio: Studio, tab: gr.Tab) -> None:
    body = panel("label-cases", js_on_load=when_drawn("#label-cases-body", asset("js/label_cases.js")))

    def open_cases(request: gr.Request) -> Any:
        if not request.query_params.get("project") or current_user(request).role not in STAFF:
            return Markup()
        return _body(opened(studio, request), language_of(request))

    on_open(open_cases, body)


def _body(project: LabelProject, language: str) -> Markup:
    """The place for one item; the script fills it when the tab is chosen."""
    phrase = phrases("labeling.", language)
    tools = join(
        html(
            '<button type="button" class="ts-button" data-key="{}">{} <kbd>{}</kbd></button>',
            key,
            phrase(f"adjudicate_{name}"),
            shown,
        )
        for name, key, shown in (
            ("previous", "p", "P"),
            ("next", "n", "N"),
            ("edit", "e", "E"),
            ("undo", "u", "U"),
            ("show_decided", "v", "V"),
        )
    )
    return html(
        '<section id="label-cases-body" class="ts-label-screen" data-project="{}" data-mode="{}" data-scale="{}"'
        ' data-words="{}" data-view="rendered"><div class="ts-label-work"><p class="ts-muted">{}</p>'
        '<p data-part="progress" role="status" aria-live="polite"></p><div data-part="task" hidden>'
        '<div class="ts-label-prompt"><div class="ts-label-which"><span class="ts-muted" data-part="number"></span>'
        '<span data-part="state"></span></div><div data-part="prompt"></div></div>'
        '<div class="ts-label-sides">{}</div><div class="ts-label-votes" data-part="votes"></div>'
        '<div class="ts-label-verdicts" role="group" aria-label="{}">{}</div>'
        '<div class="ts-label-details"><input type="text" data-part="comment" maxlength="2000" placeholder="{}"'
        ' aria-label="{}"></div></div><p class="ts-label-said" data-part="said" role="status" aria-live="polite"></p>'
        '<div class="ts-label-tools">{}</div></div></section>',
        project.id,
        project.mode,
        settings_of(project).marks,
        _words(project, language),
        phrase("adjudicate_lead"),
        screen_view.sides(project, language, "case"),
        phrase("verdict"),
        screen_view.verdicts(project, phrase, skip=False),
        phrase("comment"),
        phrase("comment"),
        tools,
    )


def _words(project: LabelProject, language: str) -> str:
    catalogue = {**texts.catalogue(texts.DEFAULT_LANGUAGE), **texts.catalogue(language)}
    own = {f"case_{name}": catalogue[f"labeling.adjudicate_{name}"] for name in _WORDS}
    offered = {
        f"reason_{reason}": catalogue.get(f"labeling.reason_{reason}", reason)
        for reason in settings_of(project).reasons
    }
    strengths = {
        f"strength_{name}": catalogue[f"labeling.strength_{name}"] for name in ("slightly", "clearly")
    }
    return json.dumps({**words_of(project.mode, language), **own, **offered, **strengths}, ensure_ascii=False)
