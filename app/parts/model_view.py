"""One model's page, ``/models?model=NAME``: what it is, where it comes from, what it reached, what is done with it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from app.i18n import Phrase, phrases, say
from app.parts import lineage_graph
from app.parts.html import NOTHING, ago, count, html, join, size, stat, table
from app.parts.keeping import marks_view, trash
from app.parts.markdown import below, rendered, with_copying
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.keeping import deleting, lineage, load_code, marks, model_card
from studio_core.keeping.marks import LONGEST_NOTE
from studio_core.keeping.models import MODELS
from studio_core.models import checkpoints, registry


def head(studio: Studio, model: Model, language: str) -> Markup:
    """Name, figures, and the ways on."""
    phrase = phrases("shell.models_", language)
    parents = registry.lineage(studio, model)[1:2]
    folder = Path(model.path)
    figures = join(
        [
            stat(phrase("parameters"), count(model.parameters)),
            stat(phrase("on_disk"), size(deleting.size(folder)) if folder.is_dir() else NOTHING),
            stat(phrase("added_at"), ago(model.created_at, language)),
            stat(phrase("origin"), _origin(model, language)),
        ]
    )
    badges = [phrase(f"kind_{model.kind}"), *([phrase("scores")] if registry.scores(model) else [])]
    return html(
        '<div class="ts-stack"><header class="ts-head"><p><a href="/models">← {}</a></p><h1>{} {}</h1>'
        '<p class="ts-mono ts-muted ts-path" title="{}">{}</p></header><section class="ts-card">'
        '<div class="ts-figures">{}</div><div class="ts-row">{}</div>'
        "</section></div>",
        phrase("title"),
        model.name,
        join(html('<span class="ts-badge">{}</span>', badge) for badge in badges),
        model.path,
        model.path,
        figures,
        _ways(model, parents[0].model.name if parents else "", phrase),
    )


def _origin(model: Model, language: str) -> Markup:
    """The run that made it, or where it was found."""
    if model.job_id:
        return html('<a href="/runs?run={0}">{1} {0}</a>', model.job_id, say("keeping.kind_run", language))
    return html("{}", say("shell.models_demo", language) if model.source == "demo" else model.source)


def _ways(model: Model, parent: str, phrase: Phrase) -> Markup:
    name, both = quote(model.name, safe=""), quote(model.name, safe="")
    if parent:
        both = f"{quote(parent, safe='')},{name}"
    ways = {"train_further": f"/train?model={name}"}
    if not registry.scores(model):
        ways = {
            "chat": f"/chat?models={name}",
            **({"compare": f"/chat?models={both}"} if parent else {}),
            **ways,
        }
        ways |= {"evaluate": f"/evaluate?models={both}", "export": f"/export?model={name}"}
    return join(html('<a class="ts-button" href="{}">{}</a>', way, phrase(key)) for key, way in ways.items())


def kept(studio: Studio, model: Model, language: str) -> Markup:
    """Star, tags, note, and what changes them."""
    mark = marks.of(studio, MODELS, [model.id]).get(model.id)
    return marks_view.card(MODELS, model, mark, model.name, "/models", language)


def body(studio: Studio, model: Model, language: str) -> Markup:
    """Lineage, card, what hangs on it, checkpoints, and what loads it."""
    phrase = phrases("keeping.", language)
    return html(
        '<div class="ts-stack"><section><h2>{}</h2>{}</section>{}<section><h2>{}</h2>{}</section>{}{}</div>',
        phrase("lineage"),
        lineage_graph.drawn(lineage.of(studio, model), ("model", model.id), language),
        _card(studio, model, language),
        phrase("used_by"),
        _uses(studio, model, language),
        _checkpoints(studio, model, language),
        _load_code(studio, model, language),
    )


def _card(studio: Studio, model: Model, language: str) -> Markup:
    mark = marks.of(studio, MODELS, [model.id]).get(model.id)
    text = model_card.text_of(studio, model, language)
    form = html(
        '<details class="ts-keep-edit"><summary class="ts-quiet">{}</summary><div class="ts-keep-form ts-card-form">'
        '<label>{}<textarea name="card" rows="18" maxlength="{}">{}</textarea></label>'
        '<button type="button" class="ts-button ts-button-primary" data-keep="card" data-ids="{}">{}</button>'
        "</div></details>",
        say("keeping.card_edit", language),
        say("keeping.card_help", language),
        LONGEST_NOTE,
        text,
        model.id,
        say("keeping.save", language),
    )
    whose = say("keeping.card_written" if model_card.written(mark) else "keeping.card_generated", language)
    return html(
        '<section class="ts-card ts-model-card"><p class="ts-muted">{}</p>{}{}</section>',
        whose,
        below(rendered(text)),
        form,
    )


def _uses(studio: Studio, model: Model, language: str) -> Markup:
    (effect,) = deleting.effects(studio, MODELS, [model.id])
    lines = join(
        html("<li>{}</li>", trash.words(one, language)) for one in effect.dependants if one.key != "demo"
    )
    if not lines:
        return html('<p class="ts-muted">{}</p>', say("keeping.used_by_none", language))
    return html('<ul class="ts-keep-list">{}</ul>', lines)


def _load_code(studio: Studio, model: Model, language: str) -> Markup:
    """How other programs load it."""
    code = load_code.python(studio, model)
    block = html('<div class="ts-markdown">{}</div>', html("<pre><code>{}</code></pre>", code or ""))
    shown = with_copying(block, say("runs.copy", language), say("runs.copied", language)) if code else ""
    words = say("keeping.load_text" if code else "keeping.load_here_only", language)
    return html(
        '<section id="model-load"><h2>{}</h2><p class="ts-muted">{}</p>{}</section>',
        say("keeping.load", language),
        words,
        shown,
    )


def _checkpoints(studio: Studio, model: Model, language: str) -> Markup:
    """Each is a model by the name NAME@STEP, and goes wherever a model goes."""
    kept = checkpoints.of_model(studio, model)
    if not kept:
        return Markup()
    phrase = phrases("shell.models_", language)
    rows = [
        [
            f"{model.name}@{one.step}",
            size(deleting.size(one.path)),
            html('<div class="ts-row">{}</div>', _ways_of(model, one.step, phrase)),
        ]
        for one in kept
    ]
    heads = [say(f"keeping.checkpoint_{name}", language) for name in ("name", "size", "next")]
    return html(
        '<section id="model-checkpoints"><h2>{}</h2>{}</section>',
        say("runs.checkpoints", language),
        table(heads, rows),
    )


def _ways_of(model: Model, step: int, phrase: Phrase) -> Markup:
    """What is done with a checkpoint: compared with its model, trained further, measured, exported."""
    one, both = (quote(name, safe="@") for name in (f"{model.name}@{step}", model.name))
    ways = {"train_further": f"/train?model={one}"}
    if not registry.scores(model):
        ways = {"compare": f"/chat?models={one},{both}", **ways}
        ways |= {"evaluate": f"/evaluate?models={both},{one}", "export": f"/export?model={one}"}
    return join(html('<a href="{}">{}</a>', way, phrase(key)) for key, way in ways.items())
