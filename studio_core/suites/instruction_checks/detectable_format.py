"""The form of an answer: lists, highlights, sections, a title, JSON, one of three sentences."""

from __future__ import annotations

import json
import re

_BULLET = re.compile(r"^[^\S\n]*(?:\*[^*]|-).*$", re.MULTILINE)
_HIGHLIGHTS = (re.compile(r"\*([^\n*]*)\*"), re.compile(r"\*\*([^\n*]*)\*\*"))
_FENCE = re.compile(r"\A```(?:json|Json|JSON)?(.*?)(?:```)?\Z", re.DOTALL)
_RESPONSES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def number_bullet_lists(answer: str, num_bullets: int) -> bool:
    """Exactly so many lines that begin with ``*`` or ``-``."""
    return len(_BULLET.findall(answer)) == num_bullets


def constrained_response(answer: str) -> bool:
    return any(response in answer for response in _RESPONSES)


def number_highlighted_sections(answer: str, num_highlights: int) -> bool:
    """At least so many ``*like this*`` or ``**like this**``."""
    texts = [text for pattern in _HIGHLIGHTS for text in pattern.findall(answer)]
    return sum(bool(text.strip()) for text in texts) >= num_highlights


def multiple_sections(answer: str, section_spliter: str, num_sections: int) -> bool:
    """At least so many that begin with the word and a number, such as ``Section 1``."""
    return len(re.findall(rf"{re.escape(section_spliter)}\s?\d+", answer)) >= num_sections


def json_format(answer: str) -> bool:
    """All of it is JSON, also inside of a fence of markdown."""
    text = answer.strip()
    fenced = _FENCE.match(text)
    try:
        json.loads((fenced[1] if fenced else text).strip())
    except (ValueError, RecursionError):
        return False
    return True


def title(answer: str) -> bool:
    """One in double angular brackets, ``<<like this>>``."""
    # Without a pattern, which a line of nothing but brackets would hold up.
    opened = (line.partition("<<")[2] for line in answer.split("\n"))
    return any(rest.rpartition(">>")[0].strip("<>").strip() for rest in opened)
