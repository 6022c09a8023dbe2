"""Label: projects in which people say which answer is better; and everything about one of them."""

from __future__ import annotations

import gradio as gr
from fastapi import APIRouter
from markupsafe import Markup

from app import mounting
from app.access import EVERYONE, STAFF, current_user
from app.i18n import language_of, t
from app.parts.events import on_open
from app.parts.handlers import Updates
from app.parts.html import html, notice, panel
from app.parts.labeling import (
    adjudication_api,
    api,
    disagreements,
    export_api,
    history,
    judge,
    making_form,
    making_progress,
    opened,
    overview,
    prompts,
    results,
    rounds,
    screen,
    settings,
)
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio

NAME = "label"
PATH = "/label"
ROLES = EVERYONE

SECTIONS = (screen, history, results, disagreements, rounds, prompts, judge, settings)
"""Of one project, in the order of their tabs."""


def routes(studio: Studio) -> APIRouter:
    router = api.routes(studio)
    adjudication_api.add(router, studio)
    export_api.add(router, studio)
    return router


def build(studio: Studio) -> None:
    head = panel("label-head")
    making_progress.build(studio)
    tab_of: dict[str, gr.Tab] = {}
    with gr.Tabs(elem_id="label-tabs", visible=False) as tabs:
        for section in SECTIONS:
            name, id = t(f"labeling.tab_{section.NAME}"), f"label-tab-{section.NAME}"
            with gr.Tab(name, id=section.NAME, elem_id=id, visible=section.ROLES == EVERYONE) as tab:
                section.build(studio, tab)
            tab_of[section.NAME] = tab
    mounting.when_opened(tabs, "section", {section.NAME: section.ROLES for section in SECTIONS})
    making_form.build(studio)

    def open_page(request: gr.Request) -> Updates:
        """All projects; or one, if the address names it. Annotators see what is theirs."""
        language, role = language_of(request), current_user(request).role
        refusal = Markup()
        if request.query_params.get("project"):
            try:
                project = opened(studio, request)
            except StudioError as error:
                refusal = notice("warn", error.sentence(language))
            else:
                # Asked here for what is drawn; each handler of a section asks again, as anybody may call it.
                theirs = [section.NAME for section in SECTIONS if role in section.ROLES]
                asked = str(request.query_params.get("section", ""))
                return {
                    head: overview.head(project, language),
                    tabs: gr.Tabs(visible=True, selected=asked if asked in theirs else screen.NAME),
                    **{tab: gr.Tab(visible=name in theirs) for name, tab in tab_of.items()},
                }
        listed = overview.projects_list(studio, language, may_create=role in STAFF)
        overall = html("{}{}{}", overview.page_head(language), refusal, listed)
        return {head: overall, tabs: gr.Tabs(visible=False)}

    on_open(open_page, [head, tabs, *tab_of.values()])
