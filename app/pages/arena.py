"""Arena: three or more models compared, with ratings of all that people have said of their answers."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, t
from app.parts import arena_view
from app.parts.events import ASKED, GO, on_open
from app.parts.handlers import safely
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
    page = ArenaPage(studio)
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

    on_open(page.open, [head, models, prompts, table])
    models.change(safely(page.rated), [models], [table], trigger_mode="always_last", **ASKED)
    start.click(
        safely(page.started), [models, prompts, limit, votes], [address], trigger_mode="once", **ASKED
    ).then(None, js=GO, inputs=[address])


class ArenaPage:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def open(self, request: gr.Request) -> tuple[Any, ...]:
        """``/arena?models=a,b,c`` shows these, without it all that have been compared."""
        registry.ensure_demo_models(self.studio)
        store.ensure_samples(self.studio)
        language = language_of(request)
        known = [model.name for model in registry.writers(self.studio)]
        asked = [name for name in str(request.query_params.get("models", "")).split(",") if name in known]
        try:
            shown = arena_view.shown(arena.arena(self.studio, asked or None), language)
        except StudioError as error:
            shown = notice("warn", error.sentence(language))
        prompts = [
            f"{one.name}@{one.version}" for one in versions.all_datasets(self.studio) if one.shape in PROMPTED
        ]
        return (
            arena_view.page_head(language),
            gr.update(choices=known, value=asked),
            gr.Dropdown(choices=prompts, value=next(iter(prompts), None)),
            shown,
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
        taken = making.prompts_of_dataset(self.studio, dataset, limit=int(limit or 100))
        one, _ = arena.start(self.studio, chosen, taken, dataset_id=dataset.id, votes=int(votes or 1))
        ensure_engine(self.studio)
        return f"/label?project={one.id}"
