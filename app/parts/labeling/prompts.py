"""Prompts: what came of those of a project, who answers them, and how more are answered."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.access import STAFF, only
from app.i18n import language_of, say, t
from app.parts.events import ASKED, GO, LIGHT, on_open
from app.parts.handlers import Handlers, Updates, safely
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
    shown = panel("label-prompts-shown")
    with gr.Column(elem_classes="ts-card", elem_id="label-more", visible=False) as form:
        heading("labeling.more_new")
        asked = gr.Dropdown(
            [], label=t("labeling.more_who"), info=t("labeling.more_who_help"), elem_id="label-more-who"
        )
        fields = prompt_fields.draw("label-more", (*ORIGINS, AGAIN))
        start = gr.Button(t("labeling.more_start"), variant="primary", elem_id="label-more-start")
    address = gr.Textbox(visible=False)

    parts = {"shown": shown, "form": form, "who": asked, "dataset": fields.dataset}
    section, everything = PromptsSection(studio, parts), list(parts.values())
    on_open(section.open_prompts, everything)
    tab.select(safely(section.prompts_shown), None, everything, **LIGHT)
    start.click(
        safely(section.more_asked), [asked, *fields.components], address, trigger_mode="once", **ASKED
    ).then(None, js=GO, inputs=address)


class PromptsSection(Handlers):
    """What the section does when it is opened, and on its button."""

    def open_prompts(self, request: gr.Request) -> Any:
        return self.prompts_shown(request) if asked_for(request, NAME, ROLES) else gr.skip()

    @only(STAFF)
    def prompts_shown(self, request: gr.Request) -> Updates:
        project, language = opened(self.studio, request), language_of(request)
        able = [(say("labeling.more_same", language), ""), *who.choices(self.studio, language)]
        return self._updates(
            shown=view(project, language),
            form=gr.Column(visible=project.job_id is not None and not project.round),
            who=gr.Dropdown(choices=able, value=""),
            dataset=prompt_fields.offered(self.studio),
        )

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
        project = opened(self.studio, request)
        sources = None
        if asked:
            whose = {"model": "", "service": "", **who.named(asked), "name": ""}
            sources = [AnswerSource.model_validate({**source, **whose}) for source in project.sources]
        prompts = None
        if origin != AGAIN:
            prompts, _ = prompt_fields.prompts(self.studio, origin, dataset, pasted, limit)
        making.more(self.studio, project.id, prompts, sources)
        ensure_engine(self.studio)
        return f"/label?project={project.id}"


def view(project: LabelProject, language: str) -> Markup:
    """Who answers, and what became of the prompts."""
    if project.job_id is None:
        return html('<p class="ts-muted">{}</p>', say("labeling.more_were_there", language))
    heads = [
        say(f"labeling.making_{name}", language) for name in ("source", "model", "temperature", "system")
    ]
    sources = [
        [
            source["name"],
            source["model"] or source["service"],
            f"{source['temperature']:g}",
            source["system"] or NOTHING,
        ]
        for source in project.sources
    ]
    return html(
        '<div class="ts-stack"><h2>{}</h2>{}{}</div>',
        say("labeling.more_sources", language),
        table(heads, sources),
        making_progress.became(project, language),
    )
