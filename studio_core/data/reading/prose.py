"""Plain text: a paragraph, a line, or the whole file is one record."""

from __future__ import annotations

from collections.abc import Iterator

from studio_core.data.reading import source
from studio_core.data.reading.source import File, Rows
from studio_core.data.turns import MAX_CHARACTERS, Rejected


def likely_split(head: str) -> str:
    """By paragraph where blank lines part them; by line where a line is one, as long lines mostly are."""
    lines = head.strip().splitlines()
    blank = sum(not line.strip() for line in lines)
    # One blank line in fifty: fewer come by chance at the ends of chapters.
    return "paragraph" if blank * 50 > len(lines) else "line"


def rows(file: File, split: str | None) -> Rows:
    """Numbered as they stand; without a choice by ``likely_split``."""
    chosen = split or file.split
    with source.open_text(file) as text:
        lines = source.lines(text, file)
        parts = (
            ((len(line), line) for line in lines)
            if chosen == "line"
            else _join_lines(lines, chosen == "file")
        )
        number = 0
        for characters, part in parts:
            if characters > MAX_CHARACTERS:
                number += 1
                yield number, Rejected("too_long", column="text", characters=characters, limit=MAX_CHARACTERS)
            elif stripped := part.strip("\r\n"):
                number += 1
                yield number, {"text": stripped.replace("\r\n", "\n").replace("\r", "\n")}


def _join_lines(lines: Iterator[str], whole: bool) -> Iterator[tuple[int, str]]:
    """Lines between blank ones, or all; of what is too long to be used only the length."""
    held: list[str] = []
    characters = 0
    for line in lines:
        if whole or line.strip():
            characters += len(line)
            held.append(line)
            # Counted on, so that its length can be told, but no longer held.
            if characters > MAX_CHARACTERS:
                held.clear()
        elif characters:
            yield characters, "".join(held)
            held, characters = [], 0
    if characters:
        yield characters, "".join(held)
