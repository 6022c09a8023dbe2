"""Prompts: what came of those of a project, who answers them, and how more are answered."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.access import STAFF, only
from app.i18n import language_of, say, t
from app.parts.events import ASKED, GO, LIGHT, on_open
from app.parts.handlers import safely
from app.parts.html import NOTHING, heading, html, panel, table
from app.parts.labeling import asked_for, making_progress, opened, prompt_fields, who
from app.parts.labeling.prompt_fields import ORIGINS
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelProject
from studio_core.generation.answer_jobs import AnswerSource
from studio_core.labeling import making
from studio_core.runs.engine_process import ensure_engine

NAME = "prompts"
ROLES = STAFF
AGAIN = "again"
"""Prompts that the project has: another model answers them."""


def build(studio: Studio, tab: gr.Tab) -> None:
    section = PromptsSection(studio)
    shown = panel("label-prompts-shown")
    with gr.Column(elem_classes="ts-card", elem_id="label-more", visible=False) as form:
        heading("labeling.more_new")
        asked = gr.Dropdown(
            [], label=t("labeling.more_who"), info=t("labeling.more_who_help"), elem_id="label-more-who"
        )
        fields = prompt_fields.draw("label-more", (*ORIGINS, AGAIN))
        start = gr.Button(t("labeling.more_start"), variant="primary", elem_id="label-more-start")
    address = gr.Textbox(visible=False)

    everything = [shown, form, asked, fields.dataset]
    on_open(section.open_prompts, everything)
    tab.select(safely(section.prompts_shown), None, everything, **LIGHT)
    start.click(
        safely(section.more_asked), [asked, *fields.components], address, trigger_mode="once", **ASKED
    ).then(None, js=GO, inputs=address)


class PromptsSection:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def open_prompts(self, request: gr.Request) -> Any:
        return self.prompts_shown(request) if asked_for(request, NAME, ROLES) else gr.skip()

    @only(STAFF)
    def prompts_shown(self, request: gr.Request) -> list[Any]:
        one, language = opened(self.studio, request), language_of(request)
        able = [(say("labeling.more_same", language), ""), *who.choices(self.studio, language)]
        return [
            view(one, language),
            gr.Column(visible=one.job_id is not None and not one.round),
            gr.Dropdown(choices=able, value=""),
            prompt_fields.offered(self.studio),
        ]

    @only(STAFF)
    def more_asked(
        self,
        request: gr.Request,
        asked: str | None,
        origin: str,
        dataset: str | None,
        pasted: str,
        limit: Any,
    ) -> str:
        """Have more prompts answered, or the same by another model; the page opens anew on what comes."""
        one = opened(self.studio, request)
        sources = None
        if asked:
            whose = {"model": "", "service": "", **who.named(asked), "name": ""}
            sources = [AnswerSource.model_validate({**source, **whose}) for source in one.sources]
        given = None
        if origin != AGAIN:
            given, _ = prompt_fields.prompts(self.studio, origin, dataset, pasted, limit)
        making.more(self.studio, one.id, given, sources)
        ensure_engine(self.studio)
        return f"/label?project={one.id}"


def view(project: LabelProject, language: str) -> Markup:
    """Who answers, and what became of the prompts."""
    if project.job_id is None:
        return html('<p class="ts-muted">{}</p>', say("labeling.more_were_there", language))
    heads = [
        say(f"labeling.making_{name}", language) for name in ("source", "model", "temperature", "system")
    ]
    sources = [
        [one["name"], one["model"] or one["service"], f"{one['temperature']:g}", one["system"] or NOTHING]
        for one in project.sources
    ]
    return html(
        '<div class="ts-stack"><h2>{}</h2>{}{}</div>',
        say("labeling.more_sources", language),
        table(heads, sources),
        making_progress.became(project, language),
    )
