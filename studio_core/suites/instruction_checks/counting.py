"""Words and sentences of a text, counted by regular expressions, and what a count is compared with."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
"""As the benchmark counts them: ``well-known`` is two, ``don't`` is two."""
_TOKEN = re.compile(r"\w+(?:[-'’.&]\w+)*")
"""A word as a reader sees it: ``WELL-KNOWN``, ``DON'T`` and ``U.S.A`` are one each."""

_END = re.compile(r"[.!?…]+[\"'”’)\]*_]*(?=\s|$)|[。！？।۔]+[\"'”’」』)\]]*")
"""Where a sentence may end; Chinese, Hindi and Urdu have signs of their own, the first without a space behind it."""
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|inc|ltd|co|corp|fig|approx|dept|est|jan|feb|mar|apr|jun|jul|aug|sept?|"
    r"oct|nov|dec)|\be\.g|\bi\.e|\ba\.m|\bp\.m|\bet al|\b[A-Z](?:\.[A-Z])*|^\s*\d{1,3}|\n\s*\d{1,3})\.$",
    re.IGNORECASE,
)
"""What ends in a point without ending a sentence: also initials, and the number of an item at the start of a line."""
_LOOKED_BACK = 30
"""Characters: longer than any of these, and short enough that a text of line breaks alone takes no time."""


def words(text: str) -> list[str]:
    return _WORD.findall(text)


def tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


def sentences(text: str) -> list[str]:
    """A line break alone ends none: a heading belongs to the sentence behind it."""
    parts, start = [], 0
    for end in _END.finditer(text):
        before = text[start : end.end()]
        if _ABBREVIATION.search(before[-_LOOKED_BACK:]) and text[end.end() :].strip():
            continue
        # After e.g. "...": it goes on in lower case.
        if text[end.end() :].lstrip()[:1].islower() and end[0].startswith(("...", "…")):
            continue
        parts.append(before.strip())
        start = end.end()
    return [part for part in (*parts, text[start:].strip()) if _WORD.search(part)]


def fits(count: int, relation: str, number: int) -> bool:
    """Whether a count is as many as were asked for."""
    if relation == "at least":
        return count >= number
    if relation == "less than":
        return count < number
    raise ValueError(f"relation: {relation!r:.80} is neither 'at least' nor 'less than'")
