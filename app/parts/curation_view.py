"""What an operation does, would do and has done, for people to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from app.i18n import say
from app.parts import record_view
from app.parts.dataset import made_view
from app.parts.html import html, join, notice, number, table
from studio_core import texts
from studio_core.base.tables import Dataset
from studio_core.curation.base import Operation
from studio_core.curation.preview import Preview
from studio_core.data.shapes import Record

GROUPS = ("clean", "choose", "reshape", "models")


def cards(operations: Sequence[Operation], chosen: str, language: str) -> Markup:
    """The operations to choose from, each with a sentence; a button that says its name when it is pressed."""
    groups = []
    for group in GROUPS:
        members = [operation for operation in operations if operation.group == group]
        if members:
            title = say(f"curation.group.{group}", language)
            listed = join(_card(operation, operation.name == chosen, language) for operation in members)
            groups.append(html('<h2>{}</h2><div class="ts-operations">{}</div>', title, listed))
    style = "ts-operations-chosen" if chosen else ""
    return html('<div class="{}">{}</div>', style, join(groups))


def _card(operation: Operation, chosen: bool, language: str) -> Markup:
    return html(
        '<button type="button" class="ts-operation" data-operation="{}" aria-pressed="{}">'
        "<b>{}</b><span>{}</span></button>",
        operation.name,
        "true" if chosen else "false",
        say(operation.title_key, language),
        say(operation.help_key, language),
    )


def named(name: str, language: str, *keys: str) -> str:
    """The first of these texts that exists; else the name itself."""
    catalogue = texts.catalogue(texts.DEFAULT_LANGUAGE)
    key = next((key for key in keys if key in catalogue), None)
    return say(key, language) if key else name.replace("_", " ")


def count_name(name: str, language: str) -> str:
    if "@" in name:  # A dataset.
        return name
    return named(name, language, f"curation.count.{name}", f"generation.count.{name}")


def reason_name(reason: str, language: str) -> str:
    generic = ("curation.reason.row",) if reason.startswith("row_") else ()
    keys = (f"curation.reason.{reason}", f"generation.reason.{reason}", f"reports.finding_{reason}", *generic)
    return named(reason, language, *keys)


def counted(counts: Mapping[str, int], language: str) -> Markup:
    """``8,500 kept · 1,500 left out``."""
    parts = [
        html("<span><b>{}</b> {}</span>", number(count), count_name(name, language))
        for name, count in counts.items()
    ]
    return html('<p class="ts-counts">{}</p>', join(parts)) if parts else Markup()


def reasons(counts: Mapping[str, int], language: str) -> Markup:
    """Why records were left out."""
    if not counts:
        return Markup()
    rows = [
        [reason_name(reason, language), number(count)]
        for reason, count in sorted(counts.items(), key=lambda pair: -pair[1])
    ]
    heads = [say("curation.left_out_because", language), say("curation.records", language)]
    return table(heads, rows)


def coverage(figures: Mapping[str, Any], language: str) -> Markup:
    """Of a selection: what it covers of the whole."""
    rows = [
        [say(f"curation.coverage.{name}", language), *(number(value) for value in values)]
        for name, values in figures.items()
        if len(values) == 2
    ]
    heads = ["", say("curation.before", language), say("curation.after", language)]
    return table(heads, rows) if rows else Markup()


def result(datasets: Sequence[Dataset], language: str) -> Markup:
    """Links to the new versions, with what came of the records."""
    links = [
        html(
            '<a class="ts-button" href="/dataset?id={}">{}</a>',
            dataset.id,
            say(
                "curation.open_result",
                language,
                name=f"{dataset.name}@{dataset.version}",
                rows=number(dataset.rows),
            ),
        )
        for dataset in datasets
    ]
    what = datasets[0].made
    details = what.get("details", {})
    parts = [
        notice("good", say("curation.done", language)),
        html('<div class="ts-actions">{}</div>', join(links)),
        counted(what.get("counts", {}), language),
        coverage(details.get("coverage", {}), language),
        reasons(details.get("reasons", {}), language),
        made_view.shown(datasets[0], language, folded=False),
    ]
    if what.get("stopped"):
        parts.insert(1, notice("warn", say("curation.stopped_early", language)))
    return join(parts)


def preview(preview_: Preview, rows: int, language: str) -> Markup:
    """What would become of the first records."""
    key = "preview_all" if preview_.looked_at >= rows else "preview_first"
    head = say(f"curation.{key}", language, n=number(preview_.looked_at))
    parts = [
        html("<h3>{}</h3>", head),
        counted(preview_.counts, language),
        reasons(preview_.reasons, language),
    ]
    for row, before, after in preview_.changed:
        parts.append(records_beside([("before", before), ("after", after)], row, language))
    if not preview_.changed:
        parts += [dropped(row, record, language) for row, record in preview_.dropped]
    return html('<div class="ts-card ts-trial">{}</div>', join(parts))


def expected(counts: Mapping[str, int], language: str) -> Markup:
    """What the result will hold."""
    head = say("curation.expected", language, n=number(sum(counts.values())))
    return html('<div class="ts-card ts-trial"><h3>{}</h3>{}</div>', head, counted(counts, language))


def records_beside(records: Sequence[tuple[str, Record]], row: int, language: str) -> Markup:
    """One record ``before`` and ``after``."""
    sides = [
        html(
            "<div><h4>{}</h4>{}</div>",
            say(f"curation.{when}", language),
            record_view.stored([record], row, language),
        )
        for when, record in records
    ]
    return html('<div class="ts-before-after">{}</div>', join(sides))


def dropped(row: int, record: Record, language: str) -> Markup:
    """One record that would be left out."""
    title = say("curation.would_go", language, row=number(row))
    return html(
        "<details><summary>{}</summary>{}</details>", title, record_view.stored([record], row, language)
    )
