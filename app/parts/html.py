"""Small pieces of HTML in which every value is escaped.

Outside text (of data, models, files) goes through ``html`` into a ``gr.HTML``
value, never into an ``html_template``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import gradio as gr
from markupsafe import Markup

from app.i18n import in_html, say
from studio_core.base import clock
from studio_core.base.states import Cause, State

NOTHING = "–"


def panel(elem_id: str, value: str = "", **more: Any) -> gr.HTML:
    """A place for our HTML on a page, without Gradio's styles for free text."""
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, **more)


def heading(key: str, lead: str = "", level: int = 2) -> gr.HTML:
    """A heading with a line below it, in the reader's language; ``key`` and ``lead`` are those of texts.

    Not ``gr.Markdown``: its script costs a page a tenth of what opening it may take.
    """
    below = f"<p>{in_html(lead)}</p>" if lead else ""
    return gr.HTML(
        f'<header class="ts-head"><h{level}>{in_html(key)}</h{level}>{below}</header>',
        apply_default_css=False,
    )


def muted(key: str) -> gr.HTML:
    """A line of explanation."""
    return gr.HTML(f'<p class="ts-muted">{in_html(key)}</p>', apply_default_css=False)


def html(template: str, *values: Any, **named: Any) -> Markup:
    """``template`` is ours; every value is escaped, unless it is ``Markup`` itself."""
    return Markup(template).format(*values, **named)


def join(parts: Iterable[Markup], separator: str = "") -> Markup:
    return Markup(separator).join(parts)


def badge(state: str, language: str, cause: str | None = None) -> Markup:
    """A job's state as a small coloured label: what was stopped early or done elsewhere is not told to be finished."""
    if state == State.SUCCEEDED and cause in (Cause.STOPPED, Cause.ELSEWHERE):
        state = cause
    return html('<span class="ts-badge ts-badge-{}">{}</span>', state, say(f"shell.state_{state}", language))


def notice(kind: Literal["info", "good", "warn", "bad"], text: str | Markup) -> Markup:
    role = "alert" if kind == "bad" else "status"
    return html('<div class="ts-notice ts-notice-{}" role="{}">{}</div>', kind, role, text)


def empty(text: str | Markup, link: tuple[str, str] | None = None) -> Markup:
    """What an empty page says: what to do first, and a ``(label, address)`` to do it."""
    button = html('<a class="ts-button" href="{1}">{0}</a>', *link) if link else Markup()
    return html('<div class="ts-empty"><p>{}</p>{}</div>', text, button)


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> Markup:
    """A table; where the window is narrow, each row becomes a card with the headers as labels."""
    head = join(html('<th scope="col">{}</th>', header) for header in headers)
    body = join(html("<tr>{}</tr>", _cells(headers, row)) for row in rows)
    title = html("<caption>{}</caption>", caption) if caption else Markup()
    return html(
        '<div class="ts-table-wrap" tabindex="0"><table class="ts-table">{}<thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>",
        title,
        head,
        body,
    )


def _cells(headers: Sequence[str], row: Sequence[Any]) -> Markup:
    labelled = zip(headers, row, strict=True)
    return join(html('<td data-label="{}"><div>{}</div></td>', header, cell) for header, cell in labelled)


def stat(label: str, value: str | Markup, note: str = "") -> Markup:
    """One figure with its name."""
    small = html('<span class="ts-stat-note">{}</span>', note) if note else Markup()
    return html(
        '<div class="ts-stat"><span class="ts-stat-label">{}</span>'
        '<span class="ts-stat-value">{}</span>{}</div>',
        label,
        value,
        small,
    )


def duration(seconds: float | None, language: str) -> str:
    """``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds is None or seconds < 0:
        return NOTHING
    if 0 < seconds < 10:
        return say("shell.seconds", language, s=f"{seconds:.1f}")
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    if hours:
        return say("shell.hours_minutes", language, h=number(hours), m=m)
    if minutes:
        return say("shell.minutes_seconds", language, m=m, s=s)
    return say("shell.seconds", language, s=s)


def number(value: float | None, digits: int | None = None) -> str:
    """``1,234,567``; fractions with ``digits`` after the point, else with three that matter."""
    if value is None:
        return NOTHING
    if isinstance(value, int) or digits == 0:
        return f"{round(value):,}"
    if digits is not None:
        return f"{value:,.{digits}f}"
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def difference(value: float, base: float) -> str:
    """``+0.012``, ``−0.3``: how far a value is from another."""
    sign = "+" if value > base else "−" if value < base else "±"
    return f"{sign}{number(abs(value - base))}"


def size(bytes: float | None) -> str:
    """``512 B``, ``4.2 MB``, ``1.5 GB``: powers of 1,000, as disks are sold."""
    if bytes is None:
        return NOTHING
    for unit in ("B", "kB", "MB", "GB"):
        if abs(bytes) < 1000:
            return f"{bytes:.0f} {unit}" if unit == "B" or abs(bytes) >= 100 else f"{bytes:.1f} {unit}"
        bytes /= 1000
    return f"{bytes:,.1f} TB"


def percent(share: float) -> str:
    """``44%``, ``3.1%``, ``0.04%``: as many figures as say something."""
    points = share * 100
    if points in (0, 100):
        return f"{points:.0f}%"
    if 1 <= points <= 99:
        return f"{points:.1f}%".replace(".0%", "%")
    if points > 99:  # Never rounded up to "100%", which would be all.
        return f"{min(points, 99.99):.2f}%"
    return f"{points:.2g}%"


def count(value: int | None) -> str:
    """Parameters, tokens: ``2.1 M``, ``1.7 B``."""
    if not value:
        return NOTHING
    for limit, unit in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if value >= limit:
            return f"{value / limit:.1f} {unit}"
    return str(value)


def ago(moment: datetime | None, language: str) -> Markup:
    """How long ago; the moment itself is in the tooltip."""
    if moment is None:
        return Markup(NOTHING)
    seconds = max(0.0, (clock.now() - moment).total_seconds())
    for limit, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= limit:
            text = say(f"shell.ago_{unit}", language, n=int(seconds // limit))
            break
    else:
        text = say("shell.ago_now", language)
    return html('<time datetime="{0}" title="{0}">{1}</time>', moment.isoformat(timespec="seconds"), text)
