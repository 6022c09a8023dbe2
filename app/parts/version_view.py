"""How the history of a dataset looks, and the differences between two versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from app.i18n import phrases, say
from app.parts import record_view
from app.parts.curation_view import count_name
from app.parts.html import ago, html, join, notice, number, stat
from studio_core import texts
from studio_core.base.tables import Dataset
from studio_core.browse import diff
from studio_core.browse.diff import Change
from studio_core.curation import OPERATIONS
from studio_core.data.shapes import Record

# More versions than anybody scrolls through.
LONGEST_HISTORY = 200
_UNCHANGED = 160
"""Characters that are shown of a text, before and after what was changed in it."""
# Characters of one text in a comparison: comparing words grows with the square.
_SHOWN = 20_000


NEWS = 3
"""Later versions that the head of a page names; the section of versions has them all."""


def news(later: Sequence[Dataset], language: str) -> Markup:
    """Which versions came after the one that is open, as links; nothing if there is none."""
    if not later:
        return Markup()
    links = join((_link(dataset) for dataset in later[:NEWS]), " · ")
    return notice("info", html("{} {}", say("browse.newer", language), links))


def history(family: Sequence[Dataset], current: Dataset, language: str) -> Markup:
    """Versions, newest first: what made each, of what, what it kept and dropped."""
    by_id = {one.id: one for one in family}
    entries = join(_entry(one, by_id, current, language) for one in family[:LONGEST_HISTORY])
    return html(
        '<section class="ts-stack"><h2>{}</h2><ol class="ts-history">{}</ol></section>',
        say("browse.history", language),
        entries,
    )


def _entry(dataset: Dataset, by_id: Mapping[int, Dataset], current: Dataset, language: str) -> Markup:
    phrase = phrases("browse.", language)
    here = dataset.id == current.id
    parents = [by_id[id] for id in dataset.parents if id in by_id]
    facts = [html("{}", phrase("rows_n", n=number(dataset.rows))), *_counts(dataset, language)]
    ways = []
    if not here:
        address = "/dataset?" + urlencode({"id": current.id, "tab": "versions", "with": dataset.id})
        ways.append(html('<a href="{}">{}</a>', address, phrase("compare_this")))
    if dataset.job_id:
        ways.append(html('<a href="/runs?run={}">{}</a>', dataset.job_id, phrase("its_job")))
    return html(
        '<li{}><p><strong><a href="/dataset?id={}&amp;tab=versions">{}</a></strong> {} · {}{} · {}</p>'
        '<p class="ts-muted">{} {}</p></li>',
        Markup(' aria-current="true"') if here else Markup(),
        dataset.id,
        f"{dataset.name}@{dataset.version}",
        html('<span class="ts-badge ts-badge-good">{}</span>', phrase("this_one")) if here else Markup(),
        operation_name(dataset.operation, language),
        _origin(dataset, parents, language),
        ago(dataset.created_at, language),
        join(facts, " · "),
        join([Markup(), *ways], " · "),
    )


def _link(dataset: Dataset) -> Markup:
    return html('<a href="/dataset?id={}">{}@{}</a>', dataset.id, dataset.name, dataset.version)


def _origin(dataset: Dataset, parents: Sequence[Dataset], language: str) -> Markup:
    if parents:
        return html(" {} {}", say("browse.of", language), join((_link(parent) for parent in parents), ", "))
    return html(" {}", say("data.from_file", language, file=dataset.source)) if dataset.source else Markup()


def operation_name(operation: str, language: str) -> str:
    """The operation that made a version, in words."""
    operation_ = OPERATIONS.get(operation)
    if operation_ is not None:
        return say(operation_.title_key, language)
    key = f"browse.made_by_{operation}"
    return (
        say(key, language) if key in texts.catalogue(texts.DEFAULT_LANGUAGE) else operation.replace("_", " ")
    )


def _counts(dataset: Dataset, language: str) -> list[Markup]:
    """What came of the records: kept, dropped and why."""
    shown = [
        html("{}: {}", count_name(name, language), number(count))
        for name, count in (dataset.made.get("counts") or {}).items()
        if isinstance(count, int | float)
    ]
    if dataset.rejected_count:
        shown.append(html("{}: {}", say("data.left_out", language), number(dataset.rejected_count)))
    return shown


def counts(counts_: Mapping[str, int], older: Dataset, newer: Dataset, language: str) -> Markup:
    figures = [
        stat(say(f"browse.kind_{kind}", language), number(counts_[kind])) for kind in ("same", *diff.KINDS)
    ]
    return html(
        '<section class="ts-card"><h2>{}</h2><div class="ts-figures">{}</div></section>',
        say(
            "browse.from_to",
            language,
            older=f"{older.name}@{older.version}",
            newer=f"{newer.name}@{newer.version}",
        ),
        join(figures),
    )


def differences(changes: Sequence[Change], where: str, language: str) -> Markup:
    entries = join(_difference(change, language) for change in changes)
    return html('<p><strong>{}</strong></p><ol class="ts-records ts-differences">{}</ol>', where, entries)


def _difference(change: Change, language: str) -> Markup:
    if change.before is not None and change.after is not None:
        label = f"{number(change.before_row)} → {number(change.after_row)}"
        body = _changed(change.before, change.after, language)
    else:
        added = change.after is not None
        label = f"{'+' if added else '−'} {number(change.after_row if added else change.before_row)}"
        body = record_view.in_full(change.after or change.before or {}, language)
    return html(
        '<li class="ts-record"><span class="ts-record-number">{}</span><div>{}</div></li>', label, body
    )


def _changed(before: Record, after: Record, language: str) -> Markup:
    """Both records in one, field by field: what went is struck out, what came is marked."""
    parts = []
    for name in dict.fromkeys([*before, *after]):
        pairs = zip_longest(_lines(before.get(name)), _lines(after.get(name)), fillvalue=("", ""))
        for (old_role, old), (new_role, new) in pairs:
            label = _label(name, new_role or old_role, language)
            text = _words(old, new) if old != new or old_role != new_role else html("{}", _short(old))
            parts.append(
                html(
                    '<div class="ts-turn"><span class="ts-turn-role">{}</span><div class="ts-turn-text">{}</div></div>',
                    label,
                    text,
                )
            )
    return join(parts)


def _lines(value: Any) -> Iterator[tuple[str, str]]:
    """A field as texts, each with the role that says it."""
    if value is None:
        return
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            lines = [
                str(item[key]) for key in ("name", "reasoning", "content", "tool_calls") if item.get(key)
            ]
            yield (
                str(item.get("role") or ""),
                "\n".join([*lines, *(["train: false"] if "train" in item else [])]),
            )
        else:
            yield "", str(item)


def _label(name: str, role: str, language: str) -> str:
    field = say(f"data.part_{name}", language) if name in ("chosen", "rejected") else ""
    key = f"data.role_{role}"
    spoken = say(key, language) if key in texts.catalogue(texts.DEFAULT_LANGUAGE) else role
    return " · ".join(filter(None, (field, spoken))) or name


def _words(before: str, after: str) -> Markup:
    # Cut first: what lies beyond is not shown, and would cost its square.
    pieces = diff.words(before[:_SHOWN], after[:_SHOWN])
    shown = []
    for place, (kind, text) in enumerate(pieces):
        if kind == "same":
            shown.append(html("{}", _short(text, place == 0, place == len(pieces) - 1)))
        else:
            shown.append(html("<del>{}</del>" if kind == "removed" else "<ins>{}</ins>", text))
    return join(shown)


def _short(text: str, first: bool = False, last: bool = False) -> str:
    """What did not change, cut where it is long."""
    if len(text) <= 3 * _UNCHANGED:
        return text
    if first != last:
        return f"…{text[-_UNCHANGED:]}" if first else f"{text[:_UNCHANGED]}…"
    return f"{text[:_UNCHANGED]} … {text[-_UNCHANGED:]}"
