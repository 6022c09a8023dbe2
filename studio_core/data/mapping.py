"""Which column of a file plays which part in a record. How that is guessed stands in ``guesses``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from studio_core.data.columns import names_in
from studio_core.data.shapes import Shape

PARTS: dict[Shape, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Shape.TEXT: (("text",), ()),
    Shape.PROMPT_COMPLETION: (
        ("prompt", "completion"),
        ("input", "system", "history", "reasoning", "tools"),
    ),
    Shape.CHAT: (("messages",), ("system", "tools")),
    Shape.PREFERENCE: (("chosen", "rejected"), ("prompt", "input", "system", "history", "tools")),
    Shape.UNPAIRED_PREFERENCE: (
        ("label",),
        ("messages", "prompt", "completion", "input", "system", "history", "reasoning", "tools"),
    ),
    Shape.PROMPT_ONLY: (("prompt",), ("system", "tools")),
    Shape.STEPWISE: (("prompt", "completions", "labels"), ("system",)),
    Shape.SCORED: (
        ("score",),
        ("messages", "prompt", "completion", "input", "system", "history", "reasoning", "tools"),
    ),
    # Without a column of ranks the answers are listed best first.
    Shape.RANKING: (("prompt", "completions"), ("ranks", "system")),
}
"""Parts of a record that a column can play: those without which there is no record, and the others."""

TURN_PARTS = ("prompt", "completion", "chosen", "rejected")
"""Parts that hold turns or a plain text."""

MARGINS = ("margin",)
"""Of a pair: by how much the chosen answer is the better one."""
GRADES = (
    ("chosen_score", "rejected_score"), ("score_chosen", "score_rejected"),
    ("chosen_rating", "rejected_rating"), ("rating_chosen", "rating_rejected"),
)  # fmt: skip
"""Of a pair: how good each of its answers is."""
KEEPING = (Shape.PROMPT_ONLY, Shape.PREFERENCE)
"""Shapes whose records may have further columns of a file."""
JUDGED = (Shape.UNPAIRED_PREFERENCE, Shape.SCORED)
"""Shapes of an answer with a judgement, for which a conversation may stand."""


class Mapping(BaseModel):
    """How the columns of a file become the fields of a record."""

    model_config = ConfigDict(extra="forbid")

    shape: Shape
    columns: dict[str, str] = Field(default_factory=dict)
    """``{part: column}``; parts of each shape are in ``PARTS``."""
    constants: dict[str, str] = Field(default_factory=dict)
    """``{part: text}`` for every row, such as one system prompt."""
    fill: dict[str, str] = Field(default_factory=dict)
    """``{name: value}`` of the placeholders written ``{{name}}``; others stay as they are."""
    templates: dict[str, str] = Field(default_factory=dict)
    """``{part: text}`` with columns written ``{{column}}``; such a part needs no column of its own."""
    keep: list[str] = Field(default_factory=list)
    """Further columns that are stored as text: of prompts what rewards look into, of pairs margin or scores."""
    good_from: float | None = None
    """Where labels are ratings: those from this one on are good."""
    split: Literal["paragraph", "line", "file"] | None = None
    """What one record of a plain text file is; by itself, a paragraph."""

    turns_in_text: list[str] | None = None
    """Parts whose cells hold a conversation that is written as text (JSON, what Python prints, or
    ``Human:``/``Assistant:``); in all others a text is a text. None: those that hold nothing else."""

    def missing(self) -> list[str]:
        """Parts that the shape needs and that no column plays."""
        played = self.columns.keys() | self.constants.keys() | self.templates.keys()
        lacking = [part for part in PARTS[self.shape][0] if part not in played]
        if self.shape in JUDGED and "messages" not in played:
            lacking += [part for part in ("prompt", "completion") if part not in played]
        return lacking

    def used(self) -> list[str]:
        """Columns that the mapping reads, those of templates included."""
        named = [
            name
            for template in self.templates.values()
            for name in names_in(template)
            if name not in self.fill
        ]
        return list(dict.fromkeys([*self.columns.values(), *named]))
