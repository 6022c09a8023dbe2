"""One version of a dataset: its records, what is to be said of them, what can be made of it."""

from __future__ import annotations

from typing import Any

import gradio as gr
from fastapi import APIRouter

from app import mounting
from app.i18n import language_of, t
from app.parts import data_view, downloads, version_view
from app.parts.dataset import export, improve, made_view, opened, records, report, versions
from app.parts.events import every, on_open
from app.parts.handlers import Updates
from app.parts.html import html, notice, panel
from app.parts.keeping import board, marks_view
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.data import lineage
from studio_core.keeping import marks
from studio_core.keeping.datasets import DATASETS

NAME = "dataset"
PATH = "/dataset"
WITHIN = "data"

LOOK = 3.0
"""Seconds between two looks for new versions: work on data takes as long at least."""

SECTIONS = (records, report, improve, versions, export)


def routes(studio: Studio) -> APIRouter:
    return downloads.routes(studio)


def build(studio: Studio) -> None:
    head, kept = panel("dataset-head"), board.board("dataset-keep", "dataset-keep")
    news, shown = panel("dataset-news"), gr.State("")
    with gr.Tabs(elem_id="dataset-tabs", visible=False) as tabs:
        for section in SECTIONS:
            id = f"dataset-tab-{section.NAME}"
            with gr.Tab(t(f"dataset.tab_{section.NAME}"), id=section.NAME, elem_id=id) as tab:
                section.build(studio, tab)
    mounting.when_opened(tabs, "tab")

    def open_page(request: gr.Request) -> Updates:
        language = language_of(request)
        try:
            dataset = opened(studio, request)
        except StudioError as error:
            sentence = notice("warn", error.sentence(language))
            refusal = html("{}{}", data_view.page_head(language), sentence)
            return {head: refusal, tabs: gr.Tabs(visible=False)}
        asked = str(request.query_params.get("tab", ""))
        chosen = asked if any(asked == section.NAME for section in SECTIONS) else records.NAME
        title = html("{}{}", data_view.dataset_head(dataset, language), made_view.shown(dataset, language))
        return {head: title, tabs: gr.Tabs(visible=True, selected=chosen), **card(request)}

    def card(request: gr.Request) -> Updates:
        try:
            dataset = opened(studio, request)
        except StudioError:  # It was deleted a moment ago.
            return {kept: ""}
        mark = marks.of(studio, DATASETS, [dataset.id]).get(dataset.id)
        return {kept: marks_view.card(DATASETS, dataset, mark, dataset.name, "/data", language_of(request))}

    def look(before: str, request: gr.Request) -> Any:
        """Versions that came after the one that is open, as soon as they are there."""
        try:
            later = lineage.after(studio, opened(studio, request))
        except StudioError:  # The head says so.
            later = []
        now = str(version_view.news(later, language_of(request)))
        return gr.skip() if now == before else {news: now, shown: now}

    on_open(open_page, [head, tabs, kept])
    board.listen(studio, DATASETS, kept, card, [], bar=False)
    on_open(look, [news, shown], [shown])
    every(LOOK, look, [news, shown], [shown])
