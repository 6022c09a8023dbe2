"""The form that makes a project: where its answers come from, and how people are asked about them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.access import STAFF, current_user, only
from app.i18n import t
from app.parts.events import ASKED, on_open
from app.parts.handlers import safely
from studio_core.data import versions
from studio_core.data.shapes import Shape
from studio_core.errors import BadInput
from studio_core.labeling import imports, projects
from studio_core.studio import Studio

_MADE_FROM = {Shape.PREFERENCE: "pairs", Shape.PROMPT_COMPLETION: "rate", Shape.UNPAIRED_PREFERENCE: "rate"}
"""Shapes of dataset that hold answers to judge, and how they are judged."""
_GO = "(address) => { if (address && address.startsWith('/')) window.location.assign(address); }"


def build(studio: Studio) -> None:
    """Shown to trainers and administrators where the address names no project."""
    form = MakingForm(studio)
    with gr.Column(visible=False, elem_id="label-create", elem_classes="ts-card") as create:
        gr.Markdown(t("labeling.new"))
        with gr.Row():
            name = gr.Textbox(label=t("labeling.name"), max_lines=1, elem_id="label-name")
            source = gr.Dropdown(
                [], label=t("labeling.source"), info=t("labeling.source_help"), elem_id="label-source"
            )
            wanted = gr.Number(
                1,
                label=t("labeling.votes"),
                info=t("labeling.votes_help"),
                precision=0,
                minimum=1,
                maximum=20,
                elem_id="label-votes",
            )
        strength = gr.Checkbox(
            label=t("labeling.strength"), info=t("labeling.strength_help"), elem_id="label-strength"
        )
        guide = gr.Textbox(
            label=t("labeling.guidelines"),
            info=t("labeling.guidelines_help"),
            lines=3,
            elem_id="label-guidelines",
        )
        start = gr.Button(t("labeling.create"), variant="primary", elem_id="label-start")
    address = gr.Textbox(visible=False)

    on_open(form.open_form, [create, source])
    start.click(
        safely(form.created),
        [name, source, wanted, strength, guide],
        [address],
        trigger_mode="once",
        **ASKED,
    ).then(None, js=_GO, inputs=[address])


class MakingForm:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def open_form(self, request: gr.Request) -> tuple[Any, ...]:
        if request.query_params.get("project") or current_user(request).role not in STAFF:
            return gr.Column(visible=False), gr.skip()
        known = versions.all_datasets(self.studio)
        choices = [f"{one.name}@{one.version}" for one in known if one.shape in _MADE_FROM]
        return gr.Column(visible=True), gr.Dropdown(choices=choices)

    @only(STAFF)
    def created(
        self, request: gr.Request, name: str, source: str | None, votes: Any, strength: bool, guide: str
    ) -> str:
        """A new project with the answers of a dataset; the page then goes to it."""
        if not source:
            raise BadInput("labeling.no_source")
        dataset = versions.get(self.studio, source)
        mode = _MADE_FROM.get(Shape(dataset.shape))
        if mode is None:
            raise BadInput("labeling.wrong_dataset", dataset=dataset.name, shape=dataset.shape, mode="pairs")
        one = projects.create(
            self.studio,
            str(name or "").strip() or dataset.name,
            mode=mode,
            settings={"votes": int(votes or 1), "strength": bool(strength)},
            guidelines=str(guide or ""),
            dataset_id=dataset.id,
        )
        imports.from_dataset(self.studio, one.id, dataset)
        return f"/label?project={one.id}"
