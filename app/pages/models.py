"""Models: what can be chatted with and trained further, where each came from, and bringing one in."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from markupsafe import Markup

from app.i18n import language_of, say, t
from app.parts import own_code
from app.parts.events import on_open
from app.parts.handlers import safely
from app.parts.html import ago, count, empty, html, join, notice, panel, size, table
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.models import registry

NAME = "models"
PATH = "/models"


def build(studio: Studio) -> None:
    listed = panel("models-list")
    with gr.Accordion(t("shell.models_add"), open=False, elem_id="models-add"):
        source = gr.Textbox(
            label=t("shell.models_source"),
            info=t("shell.models_source_info"),
            placeholder=t("shell.models_source_placeholder"),
            elem_id="model-source",
            max_lines=1,
        )
        name = gr.Textbox(
            label=t("shell.models_name"), info=t("shell.models_name_info"), elem_id="model-name", max_lines=1
        )
        trust = gr.Checkbox(
            label=t("shell.models_trust"),
            info=t("shell.models_trust_info"),
            value=False,
            elem_id="model-trust",
        )
        password = own_code.fields(studio, trust, "model-password")
        add = gr.Button(t("shell.models_add_now"), variant="primary", elem_id="model-add", scale=0)
        answer = panel("model-added")

    def draw(request: gr.Request) -> tuple[Markup, Any]:
        return page(studio, language_of(request)), own_code.offered(request)

    @safely
    def bring_in(
        source: str, name: str, trust: bool, password: str, request: gr.Request
    ) -> tuple[Any, Any, str]:
        language, source = language_of(request), str(source or "")
        code = own_code.given(studio, source, trust, password, request)
        model = registry.add(studio, source, name=str(name or "").strip() or None, own_code=code)
        added = say("shell.models_added", language, name=model.name)
        return page(studio, language), notice("good", added), ""

    on_open(draw, [listed, trust])
    # A model of the Hub is downloaded here, which may take minutes.
    add.click(
        bring_in,
        [source, name, trust, password],
        [listed, answer, password],
        api_visibility="private",
        concurrency_limit=2,
    )


def page(studio: Studio, language: str) -> Markup:
    """The list of all models."""

    def said(key: str, **values: Any) -> str:
        return say(f"shell.models_{key}", language, **values)

    models = registry.all_models(studio)
    head = html('<header class="ts-head"><h1>{}</h1><p>{}</p></header>', said("title"), said("lead"))
    headers = [said(name) for name in ("model", "origin", "parameters", "on_disk", "added_at", "next")]
    rows = [_row(studio, model, said, language) for model in models]
    body = table(headers, rows) if rows else empty(said("none"))
    return html('<div class="ts-stack">{}{}</div>', head, body)


def _row(studio: Studio, model: Model, said: Any, language: str) -> list[Any]:
    kind = html('<span class="ts-badge">{}</span>', said(f"kind_{model.kind}"))
    scoring = html(' <span class="ts-badge">{}</span>', said("scores")) if registry.scores(model) else ""
    code = (
        html(' <span class="ts-badge ts-badge-warn">{}</span>', said("runs_code"))
        if model.trust_remote_code
        else ""
    )
    named = html(
        '<strong>{}</strong><div class="ts-row">{}{}{}</div>'
        '<span class="ts-mono ts-muted ts-path" title="{}">{}</span>',
        model.name,
        kind,
        scoring,
        code,
        model.path,
        _short(studio, model.path),
    )
    return [
        named,
        _origin(studio, model, said),
        count(model.parameters),
        size(_bytes(Path(model.path))),
        ago(model.created_at, language),
        _links(model, said),
    ]


def _origin(studio: Studio, model: Model, said: Any) -> Markup:
    """How it came about: the chain of trainings, oldest first, each with a link to its run."""
    generations = registry.lineage(studio, model)[::-1]
    if len(generations) == 1:
        return html("{}", said("demo") if model.source == "demo" else model.source)
    steps = [html("<li>{}</li>", generations[0].model.name)]
    for one in generations[1:]:
        how = f"{(one.method or '').upper()} · {one.dataset}" if one.dataset else (one.method or "").upper()
        link = (
            html('<a href="/runs?run={}">{}</a>', one.job_id, one.model.name)
            if one.job_id
            else one.model.name
        )
        steps.append(html('<li>{} <span class="ts-muted">{}</span></li>', link, how))
    return html('<ol class="ts-lineage">{}</ol>', join(steps))


def _links(model: Model, said: Any) -> Markup:
    if registry.scores(model):
        address, text = quote(model.name, safe=""), said("train_further")
        return html('<a href="/train?model={}">{}</a>', address, text)
    asked = f"run={model.job_id}" if model.job_id else f"models={quote(model.name, safe='')}"
    return html(
        '<div class="ts-row"><a href="/chat?{}">{}</a><a href="/train?model={}">{}</a></div>',
        asked,
        said("compare") if model.job_id else said("chat"),
        quote(model.name, safe=""),
        said("train_further") if model.job_id else said("train"),
    )


def _short(studio: Studio, path: str) -> str:
    """The path below the data folder, where it is there."""
    home = str(studio.settings.home)
    return path.removeprefix(home).lstrip("/\\") if path.startswith(home) else path


def _bytes(folder: Path) -> int:
    """Size of the files of a model."""
    try:
        return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    except OSError:  # The folder was removed meanwhile; the row still says where it was.
        return 0
