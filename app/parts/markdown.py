"""Answers of models as they would like to be read: Markdown, code, formulas. Nothing in them can act.

The text is untrusted. It is parsed without HTML, links and pictures; formulas become MathML; what comes
out is then cleaned once more by a library whose only task that is, down to the elements listed here.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

LONGEST = 50_000
"""Characters; longer answers are shown as they are."""

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


def rendered(text: str) -> Markup:
    """Safe HTML of an answer; one that cannot be rendered is shown as it is."""
    import nh3

    if len(text) > LONGEST:
        return Markup("<pre>{}</pre>").format(text)
    try:
        made = _parser().render(text)
    except (RecursionError, IndexError, KeyError, ValueError):  # Parsers of others, on texts of models.
        return Markup("<pre>{}</pre>").format(text)
    return Markup(nh3.clean(made, tags=_TEXT | _FORMULA, attributes=_ATTRIBUTES, link_rel=None))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    parser.disable(["link", "image", "autolink", "html_block", "html_inline", "reference"])
    parser.use(
        dollarmath_plugin,
        allow_space=False,
        allow_digits=False,
        renderer=lambda source, options: _formula(source, options["display_mode"]),
    )
    return parser


def _formula(source: str, display: bool) -> str:
    from latex2mathml.converter import convert

    try:
        return str(convert(source, display="block" if display else "inline"))
    except Exception:  # The library raises errors of many kinds for what is not LaTeX.
        return f"<code>{escape(source)}</code>"
