"""Models: what can be chatted with and trained further, where each came from, and bringing one in."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from markupsafe import Markup

from app.i18n import Phrase, language_of, phrases, say, t
from app.parts import merge_form, merge_view, own_code
from app.parts.events import on_open
from app.parts.handlers import Updates, safely
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
        trust_field = gr.Checkbox(
            label=t("shell.models_trust"),
            info=t("shell.models_trust_info"),
            value=False,
            elem_id="model-trust",
        )
        password_field = own_code.fields(studio, trust_field, "model-password")
        add = gr.Button(t("shell.models_add_now"), variant="primary", elem_id="model-add", scale=0)
        answer = panel("model-added")
    merge_form.build(studio)

    def draw(request: gr.Request) -> Updates:
        return {listed: page(studio, language_of(request)), trust_field: own_code.offered(request)}

    @safely
    def bring_in(source: str, name: str, trust: bool, password: str, request: gr.Request) -> Updates:
        language, source = language_of(request), str(source or "")
        code = own_code.consent(studio, source, trust, password, request)
        model = registry.add(studio, source, name=str(name or "").strip() or None, own_code=code)
        added = say("shell.models_added", language, name=model.name)
        return {listed: page(studio, language), answer: notice("good", added), password_field: ""}

    on_open(draw, [listed, trust_field])
    # A model of the Hub is downloaded here, which may take minutes.
    add.click(
        bring_in,
        [source, name, trust_field, password_field],
        [listed, answer, password_field],
        api_visibility="private",
        concurrency_limit=2,
    )


def page(studio: Studio, language: str) -> Markup:
    """The list of all models."""
    phrase = phrases("shell.models_", language)
    models = registry.all_models(studio)
    head = html('<header class="ts-head"><h1>{}</h1><p>{}</p></header>', phrase("title"), phrase("lead"))
    headers = [phrase(name) for name in ("model", "origin", "parameters", "on_disk", "added_at", "next")]
    rows = [_row(studio, model, phrase, language) for model in models]
    body = table(headers, rows) if rows else empty(phrase("none"))
    return html('<div class="ts-stack">{}{}</div>', head, body)


def _row(studio: Studio, model: Model, phrase: Phrase, language: str) -> list[Any]:
    kind = html('<span class="ts-badge">{}</span>', phrase(f"kind_{model.kind}"))
    scoring = html(' <span class="ts-badge">{}</span>', phrase("scores")) if registry.scores(model) else ""
    code = (
        html(' <span class="ts-badge ts-badge-warn">{}</span>', phrase("runs_code"))
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
        _origin(studio, model, phrase),
        count(model.parameters),
        size(_bytes(Path(model.path))),
        ago(model.created_at, language),
        _links(model, phrase),
    ]


def _origin(studio: Studio, model: Model, phrase: Phrase) -> Markup:
    """How it came about: the chain of trainings, oldest first, each with a link to its run."""
    generations = registry.lineage(studio, model)[::-1]
    if len(generations) == 1:
        return html("{}", phrase("demo") if model.source == "demo" else model.source)
    steps = [html("<li>{}</li>", generations[0].model.name)]
    for ancestor in generations[1:]:
        made_of = ancestor.dataset or merge_view.summed(ancestor.merged)
        how = " · ".join(filter(None, ((ancestor.method or "").upper(), made_of)))
        link = (
            html('<a href="/runs?run={}">{}</a>', ancestor.job_id, ancestor.model.name)
            if ancestor.job_id
            else ancestor.model.name
        )
        steps.append(html('<li>{} <span class="ts-muted">{}</span></li>', link, how))
    return html('<ol class="ts-lineage">{}</ol>', join(steps))


def _links(model: Model, phrase: Phrase) -> Markup:
    if registry.scores(model):
        address, text = quote(model.name, safe=""), phrase("train_further")
        return html('<a href="/train?model={}">{}</a>', address, text)
    asked = f"run={model.job_id}" if model.job_id else f"models={quote(model.name, safe='')}"
    return html(
        '<div class="ts-row"><a href="/chat?{}">{}</a><a href="/train?model={}">{}</a></div>',
        asked,
        phrase("compare") if model.job_id else phrase("chat"),
        quote(model.name, safe=""),
        phrase("train_further") if model.job_id else phrase("train"),
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
