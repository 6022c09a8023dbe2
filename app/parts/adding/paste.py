"""Text that is pasted: JSON, JSON lines, CSV or plain text, understood by the same readers as files."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.i18n import t
from app.parts.adding import as_state
from app.parts.events import ASKED
from app.parts.handlers import safely
from studio_core.base.studio import Studio
from studio_core.curation import adding

NAME = "paste"


def build(studio: Studio, brought: gr.State) -> None:
    text = gr.Textbox(
        label=t("adding.paste"),
        info=t("adding.paste_help"),
        lines=8,
        max_lines=20,
        max_length=adding.LONGEST_PASTE,
        elem_id="data-paste",
    )
    use = gr.Button(t("adding.use_text"), variant="primary", elem_id="data-paste-use")

    def used(text: str) -> dict[str, Any]:
        return as_state(adding.pasted(studio, str(text or "")))

    use.click(safely(used), [text], [brought], trigger_mode="once", **ASKED)
