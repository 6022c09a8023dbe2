"""What the Data page shows of files and datasets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from app.i18n import phrases, say
from app.parts.html import NOTHING, ago, empty, html, join, notice, number, size, stat, table
from app.parts.keeping import bar, columns, marks_view
from app.parts.keeping.columns import Columns
from studio_core import texts, training
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Mark
from studio_core.data.store import Imported
from studio_core.keeping import search
from studio_core.keeping.datasets import DATASETS
from studio_core.keeping.search import Query

# The first show the kind; the rest is counted.
LISTED_REASONS = 100


def page_head(language: str) -> Markup:
    return html(
        '<header class="ts-head"><h1>{}</h1><p>{}</p></header>',
        say("data.title", language),
        say("data.lead", language),
    )


def shape_name(shape: str, language: str) -> str:
    return say(f"data.shape_{shape}", language)


def rejected_rows(
    reasons: Sequence[dict[str, Any]], count: int, language: str, *, closed: bool = False
) -> Markup:
    """Rows that were or would be left out, with their numbers and reasons."""
    if not count:
        return Markup()
    rows = [(_where(entry), _reason(entry, language)) for entry in reasons[:LISTED_REASONS]]
    shown = table([say("data.row", language), say("data.reason", language)], rows)
    more = count - len(rows)
    rest = html('<p class="ts-muted">{}</p>', say("data.more_rows", language, n=number(more))) if more else ""
    return html(
        '<details class="ts-reasons" {}><summary>{}</summary>{}{}</details>',
        Markup("" if closed else "open"),
        say("data.rejected_title", language, n=number(count)),
        shown,
        rest,
    )


def _where(entry: dict[str, Any]) -> Markup | str:
    """The number of a row, with the name of its file if there are several."""
    row = number(entry["row"])
    return html('{} <span class="ts-muted">{}</span>', row, entry["file"]) if "file" in entry else row


def _reason(entry: dict[str, Any], language: str) -> str:
    key = f"data.row_{entry.get('code', '')}"
    if key not in texts.catalogue(texts.DEFAULT_LANGUAGE):
        return str(entry["reason"])
    return say(key, language, **entry["values"])


def imported_notice(imported: Imported, language: str) -> Markup:
    """What was stored, with the way on."""
    dataset = imported.dataset
    key = "data.imported" if imported.new else "data.imported_before"
    sentence = say(key, language, name=dataset.name, version=dataset.version, rows=number(dataset.rows))
    return notice(
        "good", html("{}<div class='ts-actions'>{}{}</div>", sentence, *_ways_on(dataset, language))
    )


def _ways_on(dataset: Dataset, language: str) -> tuple[Markup, Markup]:
    open_ = html('<a class="ts-button" href="/dataset?id={}">{}</a>', dataset.id, say("data.open", language))
    return open_, ways_to_train(dataset, language)


def ways_to_train(dataset: Dataset, language: str, *, plain: bool = False) -> Markup:
    """Train on this; prompts without answers on rewards, or one of two ways to get answers. ``plain``: as links, not as
    buttons."""
    name = quote(f"{dataset.name}@{dataset.version}", safe="@")
    if training.has_answers(dataset.shape):
        ways = {"train": f"/train?dataset={name}"}
    else:
        ways = {
            "train_on_rewards": f"/train?dataset={name}",
            "have_answered": f"/dataset?id={dataset.id}&tab=improve&operation=distill",
            "label": f"/label?dataset={name}",
        }
    looks = ("",) * 3 if plain else ("ts-button ts-button-primary", "ts-button", "ts-button")
    links = [
        html('<a class="{}" href="{}">{}</a>', look, way, say(f"data.{key}", language))
        for (key, way), look in zip(ways.items(), looks, strict=False)
    ]
    return join(links, " · " if plain else " ")


SHOWN = 100
"""Versions of a page of the list."""
COLUMNS = Columns("data.", "name", ("version", "shape", "rows", "left_out", "size", "added", "next_step"))


def dataset_list(
    studio: Studio, language: str, query: Query | None = None, asked: Sequence[str] = ()
) -> Markup:
    """One page of datasets, newest first; what to do first if there are none."""
    query, phrase = query or Query(limit=SHOWN), phrases("data.", language)
    try:
        found = search.find(studio, DATASETS, query)
    except BadInput as error:  # An order that there is not.
        return notice("warn", error.sentence(language))
    if not found.rows:
        nothing = phrase("none") if query == Query(limit=SHOWN) else say("keeping.none_such", language)
        return empty(nothing)
    lines = [_line(dataset, found.marks.get(dataset.id), language) for dataset in found.rows]
    ways = bar.pager(query, found.total, "/data", language, columns.kept(asked))
    return html("{}{}", COLUMNS.table(lines, asked, language), ways)


def _line(dataset: Dataset, mark: Mark | None, language: str) -> dict[str, Any]:
    """The cells of a dataset, by the names of their columns."""
    link = html('<a href="/dataset?id={}">{}</a>', dataset.id, dataset.name)
    return {
        "name": marks_view.named(DATASETS, dataset, mark, link, "/data", language),
        "version": dataset.version,
        "shape": shape_name(dataset.shape, language),
        "rows": number(dataset.rows),
        "left_out": number(dataset.rejected_count) if dataset.rejected_count else NOTHING,
        "size": size(dataset.bytes),
        "added": ago(dataset.created_at, language),
        "next_step": ways_to_train(dataset, language, plain=True),
        "note": marks_view.note(mark),
    }


def dataset_head(dataset: Dataset, language: str) -> Markup:
    """Name, figures and ways on of one dataset."""
    phrase = phrases("data.", language)
    figures = join(
        [
            stat(phrase("shape"), shape_name(dataset.shape, language)),
            stat(phrase("rows"), number(dataset.rows)),
            stat(phrase("left_out"), number(dataset.rejected_count)),
            stat(phrase("size"), size(dataset.bytes)),
            stat(
                phrase("added"), ago(dataset.created_at, language), phrase("from_file", file=dataset.source)
            ),
        ]
    )
    return html(
        '<div class="ts-stack"><header class="ts-head"><p><a href="/data">← {}</a></p><h1>{} '
        '<span class="ts-badge">{}</span></h1><p class="ts-mono ts-muted">sha256 {}</p></header>'
        '<section class="ts-card"><div class="ts-figures">{}</div>'
        '<div class="ts-actions">{}</div></section></div>',
        phrase("all"),
        dataset.name,
        phrase("version_n", n=dataset.version),
        dataset.sha256[:16],
        figures,
        ways_to_train(dataset, language),
    )


def position(offset: int, shown: int, rows: int, language: str) -> Markup:
    text = say(
        "data.position", language, first=number(offset + 1), last=number(offset + shown), rows=number(rows)
    )
    return html('<h2 class="ts-muted" aria-live="polite">{}</h2>', text)
