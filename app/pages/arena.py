"""Arena: three or more models compared, with ratings of all that people have said of their answers."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, t
from app.parts import arena_view
from app.parts.events import ASKED, on_open
from app.parts.handlers import safely
from app.parts.html import html, notice, panel
from studio_core.errors import StudioError
from studio_core.labeling import arena
from studio_core.models import registry
from studio_core.studio import Studio

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

    on_open(page.open, [head, models, table])
    models.change(safely(page.rated), [models], [table], trigger_mode="always_last", **ASKED)


class ArenaPage:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def open(self, request: gr.Request) -> tuple[Any, ...]:
        """``/arena?models=a,b,c`` shows these, without it all that have been compared."""
        registry.ensure_demo_models(self.studio)
        language = language_of(request)
        known = [model.name for model in registry.all_models(self.studio)]
        asked = [name for name in str(request.query_params.get("models", "")).split(",") if name in known]
        try:
            shown = arena_view.shown(arena.arena(self.studio, asked or None), language)
        except StudioError as error:
            shown = notice("warn", error.sentence(language))
        return arena_view.page_head(language), gr.Dropdown(choices=known, value=asked), shown

    def rated(self, request: gr.Request, models: Any) -> Markup:
        """The table of the chosen models; of all, while fewer than three are chosen."""
        chosen = [str(name) for name in models] if isinstance(models, list) else []
        named = chosen if len(chosen) >= arena.FEWEST else None
        return html("{}", arena_view.shown(arena.arena(self.studio, named), language_of(request)))
