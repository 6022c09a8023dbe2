"""Export: a version as a file for other programs."""

from __future__ import annotations

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of
from app.parts import data_view
from app.parts.dataset import opened
from app.parts.events import on_open
from app.parts.html import panel
from studio_core.studio import Studio

NAME = "export"


def build(studio: Studio, tab: gr.Tab) -> None:
    links = panel("dataset-export")

    def open_section(request: gr.Request) -> Markup:
        return data_view.download_links(opened(studio, request), language_of(request))

    on_open(open_section, links)
