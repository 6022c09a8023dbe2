"""Models: what can be chatted with and trained further, where each came from, and bringing one in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from markupsafe import Markup

from app.i18n import Phrase, language_of, phrases, say
from app.parts import lineage_graph, merge_form, merge_view, model_adding, model_view, open_models
from app.parts.events import LIGHT, on_open
from app.parts.handlers import Updates, safely
from app.parts.html import ago, count, empty, html, join, notice, panel, size
from app.parts.keeping import bar, board, columns, marks_view, trash
from app.parts.keeping.columns import Columns
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Mark, Model
from studio_core.keeping import search
from studio_core.keeping.models import MODELS
from studio_core.keeping.search import Query
from studio_core.models import registry
from studio_core.models.registry import Ancestor

NAME = "models"
PATH = "/models"
SHOWN = 100
"""Models of a page of the list."""
COLUMNS = Columns("shell.models_", "model", ("origin", "parameters", "on_disk", "added_at", "next"))


def build(studio: Studio) -> None:
    with gr.Column(elem_id="models-overview") as overview:
        head = panel("models-head")
        with gr.Column() as mine:
            finder = panel("models-find")
            kept = board.board("models-keep", "models-things")
            with gr.Column(elem_id="models-things"):
                listed, deleted = panel("models-list"), panel("models-deleted")
        added, catalogue = model_adding.build(studio)
        with gr.Column() as merging:
            merge_form.build(studio)
    with gr.Column(visible=False, elem_id="model") as one:
        parts = {
            "top": panel("model-head"),
            "card": board.board("model-keep", "model"),
            "body": panel("model-body", js_on_load=lineage_graph.ON_DRAW),
        }
    places = [overview, head, mine, finder, kept, listed, deleted, catalogue, merging, one, *parts.values()]

    def open_(request: gr.Request) -> Updates:
        language, asked = language_of(request), str(request.query_params.get("model", ""))[:200]
        told = Markup()
        if asked:
            try:
                model = registry.get(studio, asked)
            except StudioError as error:
                told = notice("warn", error.sentence(language))
            else:
                return {
                    overview: gr.update(visible=False),
                    one: gr.update(visible=True),
                    **one_model(model, language),
                }
        given = {name: str(value) for name, value in dict(request.query_params).items()}
        on_list = open_models.asked(given)
        shown: Updates = {
            overview: gr.update(visible=True),
            one: gr.update(visible=False),
            head: html("{}{}{}", told, page_head(language), open_models.tabs(on_list, language)),
            mine: gr.update(visible=not on_list),
            merging: gr.update(visible=not on_list),
        }
        if on_list:
            try:
                return {**shown, catalogue: open_models.listed(studio, given, language)}
            except BadInput as error:
                return {**shown, catalogue: notice("warn", error.sentence(language))}
        return {
            **shown,
            finder: bar.search_bar(
                MODELS,
                bar.query_of(request, SHOWN),
                PATH,
                "models-things",
                language,
                columns=COLUMNS,
                asked=bar.columns_of(request, COLUMNS),
            ),
            kept: board.toolbar(MODELS, language),
            **tidied(request),
        }

    def changed_list(request: gr.Request) -> Updates:
        """With a model more, whichever of both lists is shown."""
        given = {name: str(value) for name, value in dict(request.query_params).items()}
        language = language_of(request)
        if open_models.asked(given):
            return {catalogue: open_models.listed(studio, given, language)}
        return {listed: _list_of(studio, request)}

    def tidied(request: gr.Request) -> Updates:
        language = language_of(request)
        return {
            listed: _list_of(studio, request),
            deleted: trash.listed(studio, language, MODELS.name),
        }

    def one_model(model: Model, language: str) -> Updates:
        return {
            parts["top"]: model_view.head(studio, model, language),
            parts["card"]: model_view.kept(studio, model, language),
            parts["body"]: model_view.body(studio, model, language),
        }

    def changed(request: gr.Request) -> Updates:
        """The model's page, once something was done with it; it may be gone, or have another name."""
        asked = str(request.query_params.get("model", ""))[:200]
        try:
            return one_model(registry.get(studio, asked), language_of(request))
        except StudioError:
            return {}

    on_open(open_, places)
    added.then(safely(changed_list), None, [listed, catalogue], **LIGHT)
    board.listen(studio, MODELS, kept, tidied, [listed, deleted])
    board.listen(studio, MODELS, parts["card"], changed, [parts["top"], parts["body"]], bar=False)


def _list_of(studio: Studio, request: gr.Request) -> Markup:
    asked = bar.columns_of(request, COLUMNS)
    return models_list(studio, language_of(request), bar.query_of(request, SHOWN), asked)


def page(studio: Studio, language: str) -> Markup:
    """The heading, and the list of all models."""
    return html('<div class="ts-stack">{}{}</div>', page_head(language), models_list(studio, language))


def page_head(language: str) -> Markup:
    phrase = phrases("shell.models_", language)
    return html(
        '<header class="ts-head"><h1>{}</h1><p>{} <a href="/storage">{}</a></p></header>',
        phrase("title"),
        phrase("lead"),
        say("shell.nav_storage", language),
    )


def models_list(
    studio: Studio, language: str, query: Query | None = None, asked: Sequence[str] = ()
) -> Markup:
    """One page of models, the newest first."""
    phrase, query = phrases("shell.models_", language), query or Query(limit=SHOWN)
    try:
        found = search.find(studio, MODELS, query)
    except BadInput as error:  # An order that there is not.
        return notice("warn", error.sentence(language))
    if not found.rows:
        return empty(phrase("none") if query == Query(limit=SHOWN) else say("keeping.none_such", language))
    lines = [_line(studio, model, found.marks.get(model.id), phrase, language) for model in found.rows]
    ways = bar.pager(query, found.total, PATH, language, columns.kept(asked))
    return html("{}{}", COLUMNS.table(lines, asked, language), ways)


def _line(studio: Studio, model: Model, mark: Mark | None, phrase: Phrase, language: str) -> dict[str, Any]:
    """The cells of a model, by the names of their columns."""
    generations = registry.lineage(studio, model)
    kind = html('<span class="ts-badge">{}</span>', phrase(f"kind_{model.kind}"))
    scoring = html(' <span class="ts-badge">{}</span>', phrase("scores")) if registry.scores(model) else ""
    code = (
        html(' <span class="ts-badge ts-badge-warn">{}</span>', phrase("runs_code"))
        if model.trust_remote_code
        else ""
    )
    named = html(
        '<a href="/models?model={}"><strong>{}</strong></a><div class="ts-row">{}{}{}</div>'
        '<span class="ts-mono ts-muted ts-path" title="{}">{}</span>',
        quote(model.name, safe=""),
        model.name,
        kind,
        scoring,
        code,
        model.path,
        _short(studio, model.path),
    )
    return {
        "model": marks_view.named(MODELS, model, mark, named, PATH, language),
        "origin": _origin(generations, phrase),
        "parameters": count(model.parameters),
        "on_disk": size(_bytes(Path(model.path))),
        "added_at": ago(model.created_at, language),
        "next": _links(generations, phrase),
        "note": marks_view.note(mark),
    }


def _origin(generations: Sequence[Ancestor], phrase: Phrase) -> Markup:
    """How it came about: the chain of trainings, oldest first, each with a link to its run."""
    if len(generations) == 1:
        source = generations[0].model.source
        return html("{}", phrase("demo") if source == "demo" else source)
    oldest, *later = generations[::-1]
    steps = [html("<li>{}</li>", oldest.model.name)]
    for ancestor in later:
        made_of = ancestor.dataset or merge_view.summed(ancestor.merged)
        how = " · ".join(filter(None, ((ancestor.method or "").upper(), made_of, ancestor.elsewhere)))
        link = (
            html('<a href="/runs?run={}">{}</a>', ancestor.job_id, ancestor.model.name)
            if ancestor.job_id
            else ancestor.model.name
        )
        steps.append(html('<li>{} <span class="ts-muted">{}</span></li>', link, how))
    return html('<ol class="ts-lineage">{}</ol>', join(steps))


def _links(generations: Sequence[Ancestor], phrase: Phrase) -> Markup:
    model = generations[0].model
    if registry.scores(model):
        address, text = quote(model.name, safe=""), phrase("train_further")
        return html('<a href="/train?model={}">{}</a>', address, text)
    asked = f"run={model.job_id}" if model.job_id else f"models={quote(model.name, safe='')}"
    # Beside what it was trained from, which is what it is compared with.
    both = [each.model.name for each in generations[1::-1]]
    return html(
        '<div class="ts-row"><a href="/chat?{}">{}</a><a href="/train?model={}">{}</a>'
        '<a href="/evaluate?models={}">{}</a><a href="/export?model={}">{}</a></div>',
        asked,
        phrase("compare") if model.job_id else phrase("chat"),
        quote(model.name, safe=""),
        phrase("train_further") if model.job_id else phrase("train"),
        ",".join(quote(name, safe="") for name in both),
        phrase("evaluate"),
        quote(model.name, safe=""),
        phrase("export"),
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
