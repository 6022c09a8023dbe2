"""Label: projects in which people say which answer is better; and everything about one of them."""

from __future__ import annotations

from typing import Any

import gradio as gr
from fastapi import APIRouter
from markupsafe import Markup

from app import mounting
from app.access import EVERYONE, STAFF, current_user
from app.i18n import language_of, t
from app.parts.events import on_open
from app.parts.handlers import Handlers, Updates
from app.parts.html import html, notice, panel
from app.parts.keeping import bar, board, trash
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
from studio_core.base.errors import NotFound, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelProject
from studio_core.keeping.projects import PROJECTS

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
    parts: dict[str, Any] = {"head": panel("label-head"), "card": board.board("label-card", "label-card")}
    with gr.Column(elem_id="label-overview") as parts["overview"]:
        parts |= {"finder": panel("label-find"), "toolbar": board.board("label-keep", "label-things")}
        with gr.Column(elem_id="label-things"):
            parts |= {"listed": panel("label-list"), "deleted": panel("label-deleted")}
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
    parts |= {"tabs": tabs, **{f"tab_{name}": tab for name, tab in tab_of.items()}}
    page = LabelPage(studio, parts)
    on_open(page.open_page, list(parts.values()))
    board.listen(studio, PROJECTS, parts["toolbar"], page.tidied, [parts["listed"], parts["deleted"]])
    board.listen(studio, PROJECTS, parts["card"], page.carded, [parts["head"]], bar=False)


class LabelPage(Handlers):
    """What the page shows when it is opened, and once something was done with projects."""

    def open_page(self, request: gr.Request) -> Updates:
        """All projects; or one, if the address names it. Annotators see what is theirs."""
        language, role = language_of(request), current_user(request).role
        refusal = Markup()
        if request.query_params.get("project"):
            try:
                project = opened(self.studio, request)
            except StudioError as error:
                refusal = notice("warn", error.sentence(language))
            else:
                return self._one(project, request)
        staff = role in STAFF
        drawn = self._updates(
            head=html("{}{}", overview.page_head(language), refusal),
            card="",
            overview=gr.Column(visible=True),
            toolbar=board.toolbar(PROJECTS, language) if staff else "",
            finder=self._bar(request) if staff else "",
            tabs=gr.Tabs(visible=False),
        )
        return {**drawn, **self._list(request, staff=staff)}

    def _one(self, project: LabelProject, request: gr.Request) -> Updates:
        role, asked = current_user(request).role, str(request.query_params.get("section", ""))
        # Asked here for what is drawn; each handler of a section asks again, as anybody may call it.
        theirs = [section.NAME for section in SECTIONS if role in section.ROLES]
        return self._updates(
            **self._head(project, request),
            overview=gr.Column(visible=False),
            tabs=gr.Tabs(visible=True, selected=asked if asked in theirs else screen.NAME),
            **{f"tab_{section.NAME}": gr.Tab(visible=section.NAME in theirs) for section in SECTIONS},
        )

    def _head(self, project: LabelProject, request: gr.Request) -> dict[str, Markup | str]:
        language, staff = language_of(request), current_user(request).role in STAFF
        card = overview.kept(self.studio, project, language) if staff else ""
        return {"head": overview.head(project, language), "card": card}

    def _bar(self, request: gr.Request) -> Markup:
        return bar.search_bar(
            PROJECTS,
            bar.query_of(request, overview.SHOWN),
            PATH,
            "label-things",
            language_of(request),
            columns=overview.COLUMNS,
            asked=bar.columns_of(request, overview.COLUMNS),
        )

    def _list(self, request: gr.Request, *, staff: bool) -> Updates:
        language, query = language_of(request), bar.query_of(request, overview.SHOWN)
        asked = bar.columns_of(request, overview.COLUMNS)
        return self._updates(
            listed=overview.projects_list(self.studio, language, query, asked, staff=staff),
            deleted=trash.listed(self.studio, language, PROJECTS.name) if staff else "",
        )

    def tidied(self, request: gr.Request) -> Updates:
        """The list and the trash below it; only the staff's board asks for it."""
        return self._list(request, staff=True)

    def carded(self, request: gr.Request) -> Updates:
        """The project's head and card, once something was changed; nothing once it was deleted."""
        try:
            return self._updates(**self._head(opened(self.studio, request), request))
        except NotFound:
            return {}
