"""The first page: what the studio is, where the reader stands in the loop, what to do next."""

from __future__ import annotations

import gradio as gr

from app.i18n import t
from studio_core.studio import Studio

NAME = "home"
PATH = "/"


def build(studio: Studio) -> None:
    gr.Markdown(t("shell.home_lead"))
