"""Arena: three or more models compared, with ratings of all that people have said of their answers."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, t
from app.parts import arena_view
from app.parts.events import ASKED, GO, on_open
from app.parts.handlers import Handlers, Updates, safely
from app.parts.html import heading, html, notice, panel
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.curation.asking import PROMPTED
from studio_core.data import store, versions
from studio_core.labeling import arena, making
from studio_core.models import registry
from studio_core.runs.engine_process import ensure_engine

NAME = "arena"
PATH = "/arena"


def build(studio: Studio) -> None:
    head = panel("arena-head")
    models = gr.Dropdown(
        [],
        label=t("labeling.arena_models"),
        info=t("labeling.arena_models_help"),
        multiselect=True,
        elem_id="arena-models",
    )
    table = panel("arena-table")
    with gr.Column(elem_classes="ts-card", elem_id="arena-new"):
        heading("labeling.arena_new", "labeling.arena_new_lead")
        with gr.Row():
            prompts = gr.Dropdown([], label=t("labeling.arena_prompts"), elem_id="arena-prompts", scale=3)
            limit = gr.Number(
                100,
                label=t("labeling.round_prompts"),
                precision=0,
                minimum=1,
                maximum=10_000,
                elem_id="arena-limit",
                scale=1,
                min_width=110,
            )
            votes = gr.Number(
                1,
                label=t("labeling.votes"),
                precision=0,
                minimum=1,
                maximum=20,
                elem_id="arena-votes",
                scale=1,
                min_width=110,
            )
        start = gr.Button(t("labeling.arena_start"), elem_id="arena-start")
    address = gr.Textbox(visible=False)

    page = ArenaPage(studio, {"head": head, "models": models, "prompts": prompts, "table": table})
    on_open(page.open, [head, models, prompts, table])
    models.change(safely(page.rated), [models], [table], trigger_mode="always_last", **ASKED)
    start.click(
        safely(page.started), [models, prompts, limit, votes], [address], trigger_mode="once", **ASKED
    ).then(None, js=GO, inputs=[address])


class ArenaPage(Handlers):
    """What the page does when it is opened, on a choice of models, and on its button."""

    def open(self, request: gr.Request) -> Updates:
        """``/arena?models=a,b,c`` shows these, without it all that have been compared."""
        registry.ensure_demo_models(self.studio)
        store.ensure_samples(self.studio)
        language = language_of(request)
        names = [model.name for model in registry.writers(self.studio)]
        asked = [name for name in str(request.query_params.get("models", "")).split(",") if name in names]
        try:
            table = arena_view.shown(arena.arena(self.studio, asked or None), language)
        except StudioError as error:
            table = notice("warn", error.sentence(language))
        prompts = [
            f"{dataset.name}@{dataset.version}"
            for dataset in versions.offered(self.studio)
            if dataset.shape in PROMPTED
        ]
        return self._updates(
            head=arena_view.page_head(language),
            models=gr.update(choices=names, value=asked),
            prompts=gr.Dropdown(choices=prompts, value=next(iter(prompts), None)),
            table=table,
        )

    def rated(self, request: gr.Request, models: Any) -> Markup:
        """The table of the chosen models; of all, while fewer than three are chosen."""
        chosen = [str(name) for name in models] if isinstance(models, list) else []
        named = chosen if len(chosen) >= arena.FEWEST else None
        return html("{}", arena_view.shown(arena.arena(self.studio, named), language_of(request)))

    def started(self, request: gr.Request, models: Any, prompts: Any, limit: Any, votes: Any) -> str:
        """Have the models answer the prompts; the page then goes to the pairs to be judged."""
        if not prompts:
            raise BadInput("labeling.arena_no_prompts")
        dataset = versions.get(self.studio, str(prompts))
        chosen = [str(name) for name in models] if isinstance(models, list) else []
        questions = making.prompts_of_dataset(self.studio, dataset, limit=int(limit or 100))
        project, _ = arena.start(self.studio, chosen, questions, dataset_id=dataset.id, votes=int(votes or 1))
        ensure_engine(self.studio)
        return f"/label?project={project.id}"
