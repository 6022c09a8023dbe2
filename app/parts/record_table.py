"""Records in a table, one line each, and one record in full: as a conversation and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from app.i18n import phrases, say
from app.parts.html import NOTHING, html, join, notice, number, table
from studio_core import texts
from studio_core.base.tables import Dataset
from studio_core.browse.browse import Page
from studio_core.data.shapes import Message, Record, texts_of, turn_text

EXCERPT = 160
"""Characters of a text in the table."""
IN_FULL = 400_000
"""Characters of an opened record as JSON."""


def rows(page: Page, terms: Sequence[str], addresses: dict[int, str], language: str) -> Markup:
    """The table; a click on a row opens it, and its number is a link to it."""
    if not page.rows:
        return Markup()
    reported = bool(page.features)
    phrase = phrases("browse.", language)
    rated = any(isinstance(record.get("label"), bool) for _, record in page.rows)
    headers = [phrase("row"), phrase("prompt"), phrase("answer"), *([phrase("rated")] if rated else [])]
    headers.append(phrase("characters"))
    headers += [phrase("language"), phrase("findings")] if reported else []
    body = []
    for row, record in page.rows:
        prompt, answer = sides(record)
        features = page.features.get(row, {})
        cells: list[Any] = [
            html(
                '<a class="ts-record-link" href="{}" data-row="{}" aria-label="{}">{}</a>',
                addresses[row],
                row,
                say("browse.record_n", language, n=number(row)),
                number(row),
            ),
            excerpt(prompt, terms),
            excerpt(answer, terms),
            *([rating(record["label"], language)] if rated else []),
            number(features.get("characters") or sum(map(len, texts_of(record)))),
        ]
        if reported:
            cells += [features.get("language") or NOTHING, findings(features.get("findings") or [], language)]
        body.append(cells)
    return html('<div class="ts-browse">{}</div>', table(headers, body))


def rating(good: bool, language: str) -> Markup:
    kind = "good" if good else "bad"
    return html('<span class="ts-badge ts-badge-{}">{}</span>', kind, say(f"data.label_{kind}", language))


def sides(record: Record) -> tuple[str, str]:
    """What is asked and what is answered, whatever the record's shape."""
    if "messages" in record:
        messages: list[Message] = record["messages"]
        asked = next(
            (m["content"] for m in messages if m["role"] == "user"),
            messages[0]["content"] if messages else "",
        )
        answered = next((turn_text(m) for m in reversed(messages) if m["role"] == "assistant"), "")
        return asked or "", answered or ""
    prompt = record.get("prompt")
    if prompt is None:
        return str(record.get("text") or ""), ""
    asked = _last(prompt)
    for name in ("completion", "chosen"):
        if record.get(name):
            return asked, _last(record[name])
    if record.get("completions"):
        return asked, " ".join(record["completions"])
    texts = [str(value) for name, value in record.items() if name != "prompt" and isinstance(value, str)]
    return asked, texts[0] if texts else ""


def _last(messages: Any) -> str:
    return turn_text(messages[-1]) if messages else ""


def excerpt(text: str, terms: Sequence[str]) -> Markup:
    """The beginning of a text, or the surroundings of what was searched for, which is marked."""
    wanted = _pattern(terms)
    first = wanted.search(text) if wanted else None
    begin = max(0, first.start() - EXCERPT // 3) if first and first.end() > EXCERPT else 0
    shown = text[begin : begin + EXCERPT]
    body = marked(shown, terms)
    return html(
        '<span class="ts-excerpt" dir="auto">{}{}{}</span>',
        "…" if begin else "",
        body,
        "…" if begin + EXCERPT < len(text) else "",
    )


def _pattern(terms: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(re.escape, terms)), re.IGNORECASE) if terms else None


def marked(text: str, terms: Sequence[str]) -> Markup:
    """A text in which what was searched for stands out."""
    wanted = _pattern(terms)
    if wanted is None:
        return html("{}", text)
    parts, at = [], 0
    for match in wanted.finditer(text):
        parts += [html("{}", text[at : match.start()]), html("<mark>{}</mark>", match[0])]
        at = match.end()
    return join([*parts, html("{}", text[at:])])


def finding_name(name: str, language: str) -> str:
    key = f"reports.finding_{name}"
    return say(key, language) if key in texts.catalogue(texts.DEFAULT_LANGUAGE) else name.replace("_", " ")


def findings(names: Sequence[str], language: str) -> Markup:
    if not names:
        return Markup(NOTHING)
    return join(
        (html('<span class="ts-badge ts-badge-warn">{}</span>', finding_name(n, language)) for n in names),
        " ",
    )


def position(
    page: Page, offset: int, rows_in_all: int, address: str, language: str, *, first_look: bool = True
) -> Markup:
    """Where the page is, how many were found, and whether all have been looked at."""
    phrase = phrases("browse.", language)
    if page.rows:
        first, last = number(offset + 1), number(offset + len(page.rows))
        key = "found" if page.exact else "found_as_yet"
        sentence = phrase(key, first=first, last=last, total=number(page.total), rows=number(rows_in_all))
    elif page.exact:
        sentence = phrase("found_none", rows=number(rows_in_all))
    else:
        sentence = phrase("found_none_as_yet")
    going = "" if page.exact else phrase("counting", share=f"{page.searched:.0%}")
    took = phrase("took", ms=max(1, round(page.seconds * 1000))) if first_look else ""
    return html(
        '<p class="ts-browse-position" aria-live="polite" data-exact="{}" data-address="{}">'
        '<strong>{}</strong> {} <span class="ts-muted">{}</span></p>',
        "yes" if page.exact else "no",
        address,
        sentence,
        going,
        took,
    )


def opened_head(dataset: Dataset, row: int, features: dict[str, Any], language: str) -> Markup:
    """Number, findings and ways on of the opened record."""
    facts = [findings(features["findings"], language)] if features.get("findings") else []
    if features.get("duplicate_of"):
        link = html('<a href="{0}" data-row="{1}" class="ts-record-link">{2}</a>',
                    f"/dataset?{urlencode({'id': dataset.id, 'row': features['duplicate_of']})}",
                    features["duplicate_of"], number(features["duplicate_of"]))  # fmt: skip
        facts.append(html("{} {}", say("browse.repeats", language), link))
    if features.get("quality") is not None:
        facts.append(html("{} {}", say("browse.quality", language), number(features["quality"], 2)))
    return html(
        '<div class="ts-row ts-record-head" data-opened="{}"><h2>{}</h2>{}<span class="ts-record-ways">'
        '<button type="button" class="ts-button" data-go="-1" title="k">{}</button> '
        '<button type="button" class="ts-button" data-go="1" title="j">{}</button> {} {} '
        '<button type="button" class="ts-button" data-close title="Esc">{}</button></span></div>',
        row,
        say("browse.record_n", language, n=number(row)),
        join(facts, " "),
        say("browse.before", language),
        say("browse.after", language),
        edit_link(dataset, row, language),
        edit_link(dataset, row, language, delete=True),
        say("browse.close", language),
    )


def edit_link(dataset: Dataset, row: int, language: str, *, delete: bool = False) -> Markup:
    """To where single records are edited, with this one open, or with its deletion noted."""
    wanted: dict[str, Any] = {"id": dataset.id, "tab": "improve", "operation": "edit", "row": row}
    if delete:
        wanted["changes"] = json.dumps([{"row": row}])
    label = say("browse.delete" if delete else "browse.edit", language)
    return html('<a class="ts-button" href="/dataset?{}">{}</a>', urlencode(wanted), label)


def as_json(record: Record, language: str) -> Markup:
    """The record as it is stored, to be read and copied."""
    text = json.dumps(record, ensure_ascii=False, indent=2, default=str)
    cut = text[:IN_FULL]
    more = (
        notice("info", say("browse.json_cut", language, n=number(len(text) - IN_FULL)))
        if len(text) > IN_FULL
        else Markup()
    )
    return html(
        '<div class="ts-json"><button type="button" class="ts-button" data-copy data-done="{}">{}</button>'
        '<pre class="ts-tokens" id="record-json-text" tabindex="0">{}</pre>{}</div>',
        say("browse.copied", language),
        say("browse.copy", language),
        cut,
        more,
    )
