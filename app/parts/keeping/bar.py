"""The form over a list: what is looked for. It leads to an address, which says it all and can be sent to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import gradio as gr
from markupsafe import Markup

from app.i18n import say
from app.parts.html import html, join, number
from app.parts.keeping.columns import Columns
from studio_core.keeping.search import LONGEST, NEWEST, Query
from studio_core.keeping.thing import Thing


def query_of(request: gr.Request, limit: int) -> Query:
    """What the address of a list asks for."""
    return Query.read({name: str(value) for name, value in dict(request.query_params).items()}, limit)


def columns_of(request: gr.Request, columns: Columns) -> list[str]:
    """The columns that it asks for; empty: the usual ones."""
    return columns.asked(str(request.query_params.get("columns", "")))


def search_bar(
    thing: Thing,
    query: Query,
    path: str,
    around: str,
    language: str,
    *,
    columns: Columns,
    asked: Sequence[str] = (),
    without: Sequence[str] = (),
    kept: Mapping[str, str] | None = None,
) -> Markup:
    """``around``: the id of the list; ``asked``: the columns that the address names; ``without``: those that are not
    offered here; ``kept``: further parameters of the address that stay as they are."""
    hidden = join(
        html('<input type="hidden" name="{}" value="{}">', name, value)
        for name, value in (kept or {}).items()
        if value
    )
    return html(
        '<form class="ts-find" role="search" method="get" action="{}" data-find="{}" data-columns="{}">{}'
        '<input type="search" name="q" value="{}" maxlength="{}" placeholder="{}" aria-label="{}">'
        "{}{}{}{}"
        '<button class="ts-button">{}</button></form>',
        path,
        around,
        "1" if asked else "",
        hidden,
        query.text,
        LONGEST,
        say(f"keeping.search_{thing.name}s", language),
        say("keeping.search", language),
        _sorts(thing, query.sort, language),
        _check("star", query.starred, language),
        _check("archived", query.archived, language),
        _columns(columns.offered(language, without), asked or columns.usual, language),
        say("keeping.search", language),
    )


def _sorts(thing: Thing, chosen: str, language: str) -> Markup:
    orders = [NEWEST, f"-{NEWEST}", *(way + name for name in thing.sorts for way in ("", "-"))]
    options = join(
        html(
            '<option value="{}"{}>{}</option>',
            "" if name == NEWEST else name,
            Markup(" selected") if name == chosen else Markup(),
            _order_title(name, language),
        )
        for name in orders
    )
    return html('<select name="sort" aria-label="{}">{}</select>', say("keeping.sort", language), options)


def _order_title(name: str, language: str) -> str:
    bare = name.removeprefix("-")
    if bare == NEWEST:
        return say("keeping.sort_oldest" if name != bare else "keeping.sort_newest", language)
    return f"{say(f'keeping.sort_{bare}', language)} {'↓' if name != bare else '↑'}"


def _check(name: str, on: bool, language: str) -> Markup:
    return html(
        '<label class="ts-find-check"><input type="checkbox" name="{}" value="1"{}> {}</label>',
        name,
        Markup(" checked") if on else Markup(),
        say(f"keeping.only_{name}", language),
    )


def _columns(columns: Sequence[tuple[str, str]], shown: Sequence[str], language: str) -> Markup:
    boxes = join(
        html(
            '<label class="ts-find-check"><input type="checkbox" data-column="{}"{}> {}</label>',
            name,
            Markup(" checked") if name in shown else Markup(),
            title,
        )
        for name, title in columns
    )
    return html(
        '<details class="ts-find-columns"><summary class="ts-button">{}</summary><div>{}</div></details>',
        say("keeping.columns", language),
        boxes,
    )


def pager(
    query: Query, total: int, path: str, language: str, kept: Mapping[str, str] | None = None
) -> Markup:
    """Which part of the list is shown, and the ways to the pages before and after."""
    if total <= query.limit and not query.offset:
        return Markup()
    last = min(total, query.offset + query.limit)
    ways = {"newer": query.offset - query.limit, "older": query.offset + query.limit}
    links = join(
        html(
            '<a class="ts-button" href="{}?{}">{}</a>',
            path,
            urlencode({**(kept or {}), **query.address(page=offset // query.limit + 1 if offset else "")}),
            say(f"keeping.{name}", language),
        )
        for name, offset in ways.items()
        if 0 <= offset < total
    )
    words = say(
        "keeping.position",
        language,
        first=number(min(query.offset + 1, total)),
        last=number(last),
        total=number(total),
    )
    return html('<div class="ts-row ts-pager"><span class="ts-muted">{}</span>{}</div>', words, links)
