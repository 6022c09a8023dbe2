"""Answers side by side: one row of equal cells for a prompt, with what is known of each answer.

Knows nothing of where the answers come from: the Chat page shows models in it.
Answers are read as Markdown, which ``markdown`` makes safe; all other text is escaped.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from app.i18n import say
from app.parts import markdown
from app.parts.html import html, join, number
from studio_core.chat.chats import LETTERS

_NOTHING = Markup()
Mark = Literal["", "better", "worse", "tie", "bad"]


@dataclass(frozen=True)
class Cell:
    """One answer as it is shown."""

    text: str
    """As it was written: what is copied and corrected."""
    name: str | None
    """Who answered; None while it is hidden."""
    state: str
    """``streaming``, ``stop``, ``length``, ``cancelled``, ``interrupted`` or ``error``."""
    note: str = ""
    """What stands below it: an error, or what it is waiting for."""
    figures: str = ""
    mark: Mark = ""
    more: Markup = _NOTHING
    """What stands below the text: earlier answers."""
    tools: Markup = _NOTHING
    """Buttons for this answer."""
    growing: Hashable = None
    """What tells an answer that is being written from all others."""


def prompt_block(prompt: str, system: str, language: str, tools: Markup = _NOTHING) -> Markup:
    """The prompt above the answers, the system prompt if there is one, and buttons for the prompt."""
    hidden = html(
        '<details class="ts-system"><summary>{}</summary><p dir="auto">{}</p></details>',
        say("chat.system", language),
        system,
    )
    return html(
        '<div class="ts-prompt"><p dir="auto">{}</p>{}{}</div>', prompt, hidden if system else Markup(), tools
    )


def cells(shown: Sequence[Cell], language: str, ids: str = "") -> Markup:
    """The row of answers. With ``ids`` they are addressed as ``<ids>-0``, ``<ids>-1`` ..."""
    drawn = [
        _cell(cell, index, language, f"{ids}-{index}" if ids else "") for index, cell in enumerate(shown)
    ]
    return html('<div class="ts-sides" data-sides="{}">{}</div>', len(shown), join(drawn))


def _cell(cell: Cell, index: int, language: str, elem_id: str) -> Markup:
    letter = LETTERS[index]
    name = cell.name if cell.name is not None else say("chat.name_hidden", language)
    mark = Markup()
    if cell.mark:
        mark = html('<span class="ts-mark">{}</span>', say(f"chat.mark_{cell.mark}", language))
    waiting = html('<span class="ts-cursor" aria-hidden="true"></span>')
    return html(
        '<article {id} class="ts-answer ts-answer-{side}" data-state="{state}" data-mark="{mark_name}">'
        '<header><span class="ts-letter">{letter}</span><span class="ts-name" {hidden}>{name}</span>'
        "{mark}</header>"
        '<div class="ts-text ts-markdown" dir="auto" tabindex="0">{shown}{cursor}</div>'
        '<p class="ts-raw" hidden>{text}</p>{note}{more}'
        '<footer><span class="ts-figures">{figures}</span>{tools}</footer></article>',
        id=html('id="{}"', elem_id) if elem_id else Markup(),
        side=letter.lower(),
        state=cell.state,
        mark_name=cell.mark,
        letter=letter,
        hidden=Markup("data-hidden") if cell.name is None else Markup(),
        name=name,
        mark=mark,
        shown=_shown(cell, language),
        text=cell.text,
        cursor=waiting if cell.state == "streaming" else Markup(),
        note=html('<p class="ts-answer-note">{}</p>', cell.note) if cell.note else Markup(),
        more=cell.more,
        figures=cell.figures,
        tools=cell.tools,
    )


def _shown(cell: Cell, language: str) -> Markup:
    made = markdown.growing(cell.growing, cell.text) if cell.growing else markdown.rendered(cell.text)
    return markdown.with_copying(made, say("chat.copy_code", language), say("chat.copied", language))


def copy_button(language: str, name: str = "") -> Markup:
    """Copies the answer in whose ``article`` it stands; ``static/js/shell.js`` does it."""
    label = say("chat.copy", language)
    return html(
        '<button type="button" class="ts-quiet" data-copies="answer" aria-label="{}" data-done="{}">{}</button>',
        name or label,
        say("chat.copied", language),
        label,
    )


def figures(tokens: int, seconds: float, language: str) -> str:
    """``28 tokens · 0.31 s · 90 tokens/s``; the seconds alone where nobody counted tokens."""
    if not tokens:
        return say("chat.figures_uncounted", language, seconds=f"{seconds:.2f}") if seconds else ""
    speed = number(tokens / seconds, 0 if tokens / seconds >= 10 else 1) if seconds else "–"
    return say("chat.figures", language, tokens=number(tokens), seconds=f"{seconds:.2f}", speed=speed)


def marks(verdict: str, left: int, right: int, sides: int) -> list[Mark]:
    """For each place, what a vote on the places ``left`` and ``right`` says of it."""
    marks_: list[Mark] = [""] * sides
    pairs: dict[str, tuple[Mark, Mark]] = {
        "a": ("better", "worse"),
        "b": ("worse", "better"),
        "tie": ("tie", "tie"),
        "both_bad": ("bad", "bad"),
    }
    marks_[left], marks_[right] = pairs[verdict]
    return marks_
