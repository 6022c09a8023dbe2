"""A file or folder of the computer that the studio runs on, within the allowed roots."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts.adding import as_state
from app.parts.events import ASKED
from app.parts.handlers import Updates, safely
from app.parts.html import html, panel, size
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.curation import adding
from studio_core.curation.adding import Brought

NAME = "folder"
LISTED = 200
"""Files of a folder that can be chosen one by one."""


def build(studio: Studio, brought: gr.State) -> None:
    with gr.Row(elem_classes="ts-asking"):
        path = gr.Textbox(
            label=t("adding.path"),
            info=t("adding.path_help"),
            max_lines=1,
            scale=4,
            elem_id="data-path",
        )
        look = gr.Button(t("adding.look"), variant="primary", elem_id="data-path-look", scale=1)
    listing = panel("data-path-found")
    chosen = gr.CheckboxGroup([], label=t("adding.chosen_files"), visible=False, elem_id="data-path-files")
    folder = gr.State("")

    def looked(typed: str, request: gr.Request) -> Updates:
        files = adding.data_files(studio, str(typed or ""))
        several = len(files) > 1
        choices = [(f"{name} · {size(bytes)}", name) for name, bytes in files.items()][:LISTED]
        boxes = gr.CheckboxGroup(choices, value=[value for _, value in choices], visible=several)
        note = _counted(files, language_of(request)) if several else ""
        here = str(typed)
        return {brought: as_state(Brought(paths=[here])), listing: note, chosen: boxes, folder: here}

    def narrowed(names: Any, folder: str) -> Any:
        files = adding.data_files(studio, folder)
        if not names:
            raise BadInput("adding.no_file_chosen")
        if not isinstance(names, list) or not set(names) <= files.keys():
            raise BadInput("adding.bad_request")
        if len(names) == min(len(files), LISTED):
            return as_state(Brought(paths=[folder]))
        return as_state(Brought(paths=[f"{folder.rstrip('/')}/{name}" for name in files if name in names]))

    outputs = [brought, listing, chosen, folder]
    gr.on([look.click, path.submit], safely(looked), [path], outputs, **ASKED)
    chosen.input(safely(narrowed), [chosen, folder], [brought], trigger_mode="always_last", **ASKED)


def _counted(files: dict[str, int], language: str) -> Markup:
    text = say("adding.found_files", language, n=len(files), size=size(sum(files.values())))
    more = say("adding.found_more", language, n=LISTED) if len(files) > LISTED else ""
    return html('<p class="ts-muted">{} {}</p>', text, more)
