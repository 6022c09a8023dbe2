"""What was understood of the files that came in: figures, and their first rows under the roles of columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from app.files import mounts
from app.i18n import phrases, say
from app.parts.data_view import shape_name
from app.parts.html import NOTHING, html, join, notice, number, stat
from studio_core.data.columns import MISSING, value_in
from studio_core.data.mapping import KEEPING, PARTS
from studio_core.data.shapes import Shape
from studio_core.data.store import Inspection

# Tables from other programs have hundreds; nobody reads these, and each costs the page time.
SHOWN_COLUMNS = 50
# The first show the kind; the rest is counted.
SHOWN_NOTES = 20
CELL = 160
"""Characters of a value that are shown."""
KEEP = "keep"
_SAID_ABOVE = ("doubt", "placeholders")


def columns_panel() -> gr.HTML:
    """The first rows; choosing a role in a header is the event ``assign`` with ``{"roles": {index: role}}``."""
    script = f"{mounts('js/columns.js', 'trigger')}; 'assign'"
    return gr.HTML("", apply_default_css=False, elem_id="data-columns", js_on_load=script)


def summary(inspection: Inspection, language: str) -> Markup:
    """What the files were taken for, and how many of their rows would do."""
    phrase = phrases("data.", language)
    kind = inspection.format.upper() + (" (gzip)" if inspection.gzipped else "")
    encoding = (
        phrase("encoding_bom", encoding="UTF-8")
        if inspection.encoding == "utf-8-sig"
        else inspection.encoding.upper()
    )
    files = say("adding.of_files", language, n=len(inspection.files)) if len(inspection.files) > 1 else ""
    shown = [stat(phrase("format"), kind, " · ".join(filter(None, [encoding, files])))]
    # Until it is known what the columns are, no row is good or bad.
    if inspection.mapping.missing():
        shown.append(stat(phrase("columns"), number(len(inspection.columns))))
    else:
        shown.append(stat(phrase("shape_found"), shape_name(inspection.shape, language)))
        shown += [
            stat(phrase("good_rows"), number(inspection.good)),
            stat(phrase("bad_rows"), number(inspection.bad)),
        ]
    return html(
        '<section class="ts-card"><h2>{}</h2><div class="ts-figures">{}</div>{}{}</section>',
        inspection.source,
        join(shown),
        join(_sentences(inspection, language)),
        _passed_over(inspection, language),
    )


def _sentences(inspection: Inspection, language: str) -> list[Markup]:
    why = (
        say(inspection.guess.because, language)
        if inspection.mapping.shape is inspection.guess.mapping.shape
        else ""
    )
    sentences = [html('<p class="ts-muted">{}</p>', why)] if why else []
    if not inspection.whole:
        n = number(inspection.good + inspection.bad)
        sentences.append(notice("info", say("adding.first_rows", language, n=n)))
    if missing := inspection.mapping.missing():
        parts = say("shell.comma", language).join(say(f"data.part_{part}", language) for part in missing)
        sentences.append(notice("warn", say("data.choose_parts", language, parts=parts)))
    elif not inspection.guess.sure and why:
        sentences.append(notice("info", say("data.check_parts", language)))
    if inspection.placeholders:
        names = " ".join(f"{{{{{name}}}}}" for name in inspection.placeholders)
        sentences.append(notice("warn", say("data.placeholders_found", language, names=names)))
    for remark in [one for one in inspection.remarks(language) if one["code"] not in _SAID_ABOVE][
        :SHOWN_NOTES
    ]:
        sentences.append(html('<p class="ts-muted">{}</p>', remark["text"]))
    return sentences


def _passed_over(inspection: Inspection, language: str) -> Markup:
    if not inspection.passed_over:
        return Markup()
    lines = join(
        html("<li>{}: {}</li>", file["file"], say(f"data.passed_{file['why']}", language))
        for file in inspection.passed_over
    )
    title = say("adding.passed_over", language, n=len(inspection.passed_over))
    return html('<details class="ts-reasons"><summary>{}</summary><ul>{}</ul></details>', title, lines)


def columns_table(
    columns: Sequence[str],
    rows: Sequence[Any],
    shape: Shape,
    roles: dict[str, str],
    narrow: str,
    language: str,
) -> Markup:
    """The first rows with a choice of role in each header; of many columns those in use and the first others.

    ``roles`` are ``{column: role}``; ``narrow`` is what the names of further columns must contain.
    """
    shown = _shown(columns, roles, narrow)
    choices = [("", say("adding.unused", language))]
    choices += [(part, say(f"data.part_{part}", language)) for part in (*PARTS[shape][0], *PARTS[shape][1])]
    if shape in KEEPING:
        choices.append((KEEP, say("adding.keep", language)))
    head = join(_header(index, columns[index], choices, roles, language) for index in shown)
    body = join(
        html("<tr>{}</tr>", join(html("<td><div>{}</div></td>", _cell(row, columns[at])) for at in shown))
        for row in rows
    )
    left = len(columns) - len(shown)
    more = say("adding.more_columns", language, shown=len(shown), n=number(len(columns))) if left else ""
    return html(
        '<div class="ts-table-wrap ts-columns" tabindex="0"><table class="ts-table"><caption>{}</caption>'
        '<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div><p class="ts-muted">{}</p>',
        say("adding.columns_title", language),
        head,
        body,
        more,
    )


def _shown(columns: Sequence[str], roles: dict[str, str], narrow: str) -> list[int]:
    """Numbers of the columns that are drawn, in their order: all in use, and others up to the limit."""
    used = {at for at, column in enumerate(columns) if roles.get(column)}
    wanted = narrow.strip().lower()
    others = [at for at, column in enumerate(columns) if at not in used and wanted in column.lower()]
    return sorted([*sorted(used)[:SHOWN_COLUMNS], *others[: max(0, SHOWN_COLUMNS - len(used))]])


def _header(
    index: int, column: str, choices: Sequence[tuple[str, str]], roles: dict[str, str], language: str
) -> Markup:
    role = roles.get(column, "")
    options = join(
        html('<option value="{}"{}>{}</option>', value, Markup(" selected" if value == role else ""), label)
        for value, label in choices
    )
    return html(
        '<th scope="col" class="{}"><span>{}</span><select data-column="{}" aria-label="{}">{}</select></th>',
        "ts-column-used" if role else "",
        column if len(column) <= 60 else f"{column[:60]}…",
        index,
        say("adding.role_of", language, column=column[:100]),
        options,
    )


def _cell(row: Any, column: str) -> str:
    value = value_in(row, column)
    if value is MISSING or value is None:
        return NOTHING
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)[: CELL * 4]
    turns = value if isinstance(value, list) else [value]
    if turns and all(isinstance(turn, dict) and ("role" in turn or "from" in turn) for turn in turns):
        text = "\n".join(f"{turn.get('role', turn.get('from'))}: {_text_of(turn)}" for turn in turns)
    return text if len(text) <= CELL else f"{text[:CELL]}…"


def _text_of(turn: dict[str, Any]) -> str:
    text = turn.get("content", turn.get("value"))
    if text is None:
        text = turn.get("tool_calls", "")
    return text if isinstance(text, str) else json.dumps(text, ensure_ascii=False, default=str)
