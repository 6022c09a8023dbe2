"""Parts that an answer has to have: placeholders, a postscript."""

from __future__ import annotations

import re

_PLACEHOLDER = re.compile(r"\[[^\[\]\n]*\]")
_POSTSCRIPTS = {"P.S.": r"p\.\s?s\.", "P.P.S": r"p\.\s?p\.\s?s"}
"""A space inside is allowed."""


def number_placeholders(answer: str, num_placeholders: int) -> bool:
    """At least so many in square brackets, such as ``[address]``."""
    return len(_PLACEHOLDER.findall(answer)) >= num_placeholders


def postscript(answer: str, postscript_marker: str) -> bool:
    marker = _POSTSCRIPTS.get(postscript_marker) or re.escape(postscript_marker.lower())
    return re.search(marker, answer.lower()) is not None
