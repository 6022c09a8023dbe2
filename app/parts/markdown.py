"""Answers of models as they would like to be read: Markdown, code, formulas. Nothing in them can act.

The text is untrusted. It is parsed without HTML, links and pictures; formulas become MathML; what comes
out is then cleaned once more by a library whose only task that is, down to the elements listed here.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache, lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from app.parts.html import html

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

LONGEST = 50_000
"""Characters; longer answers are shown as they are."""
MOST_DOLLARS = 1_000
"""In a text with more of them they are no formulas: each that is not closed is looked for to the end of its line."""
EVERY = 0.2
"""Seconds between two renderings of an answer that grows, and no more than a ``_SHARE`` of a core for each."""
# Four sides that are written at once take half of a core at most.
_SHARE = 0.1
_GROWING = 64
"""Answers that grow at the same time and are kept; each is two texts."""

_TEXT = {
    "p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "table", "thead",
    "tbody", "tr", "th", "td", "h1", "h2", "h3", "h4", "h5", "h6",
}  # fmt: skip
_FORMULA = {
    "math", "mrow", "mi", "mn", "mo", "ms", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup",
    "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom",
}  # fmt: skip
_ATTRIBUTES = {
    "math": {"display"},
    "mo": {"stretchy", "fence", "form"},
    "ol": {"start"},
    "mfrac": {"linethickness"},
}


_HEADING = re.compile(r"(</?h)([1-6])>")


def below(html_: Markup, level: int = 1) -> Markup:
    """What ``rendered`` has made, as a part of a page with headings, where its own begin
    so many levels lower."""
    # Cleaned text has no angle brackets but those of elements.
    return Markup(_HEADING.sub(lambda tag: f"{tag[1]}{min(6, int(tag[2]) + level)}>", str(html_)))


@lru_cache(maxsize=128)
def rendered(text: str) -> Markup:
    """Safe HTML of an answer; one that cannot be rendered is shown as it is."""
    import nh3

    if len(text) > LONGEST:
        return html("<pre>{}</pre>", text)
    try:
        html_ = _parser(text.count("$") <= MOST_DOLLARS).render(text)
    except (RecursionError, IndexError, KeyError, ValueError):  # Parsers of others, on texts of models.
        return html("<pre>{}</pre>", text)
    return Markup(nh3.clean(html_, tags=_TEXT | _FORMULA, attributes=_ATTRIBUTES, link_rel=None))


def with_copying(html_: Markup, label: str, done: str) -> Markup:
    """What ``rendered`` has made, with a button over each block of code; ``static/js/shell.js`` does what it says."""
    button = html(
        '<button type="button" class="ts-quiet" data-copies="code" data-done="{}">{}</button>', done, label
    )
    # Cleaned text has no angle brackets but those of elements, and its elements have no class.
    opened = f'<div class="ts-code">{button}<pre tabindex="0">'
    return Markup(str(html_).replace("<pre>", opened).replace("</pre>", "</pre></div>"))


@dataclass(frozen=True)
class _Growth:
    made: Markup
    at: float
    seconds: float


_growing: OrderedDict[Hashable, _Growth] = OrderedDict()
_lock = Lock()


def growing(key: Hashable, text: str) -> Markup:
    """As ``rendered``, of an answer that is being written: up to date at most some times a second.

    However many look at it, and however long it has become, it costs a tenth of a core at most.
    """
    now = time.monotonic()
    with _lock:
        last = _growing.get(key)
    if last is not None and now - last.at < max(EVERY, last.seconds / _SHARE):
        return last.made
    html_ = rendered.__wrapped__(text)  # Every look is another text: nothing to keep.
    with _lock:
        _growing[key] = _Growth(html_, time.monotonic(), time.monotonic() - now)
        _growing.move_to_end(key)
        while len(_growing) > _GROWING:
            _growing.popitem(last=False)
    return html_


@cache
def _parser(formulas: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    parser.disable(["link", "image", "autolink", "html_block", "html_inline", "reference"])
    if formulas:
        parser.use(
            dollarmath_plugin,
            allow_space=False,
            allow_digits=False,
            renderer=lambda source, options: _formula(source, options["display_mode"]),
        )
    return parser


@lru_cache(maxsize=512)
def _formula(source: str, display: bool) -> str:
    from latex2mathml.converter import convert

    try:
        return str(convert(source, display="block" if display else "inline"))
    except Exception:  # The library raises errors of many kinds for what is not LaTeX.
        return f"<code>{escape(source)}</code>"
