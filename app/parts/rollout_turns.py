"""A rollout over several turns on a run's page: who wrote what, in order, and how many tokens it is."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from app.i18n import say
from app.parts.html import NOTHING, html, join, number
from app.parts.record_table import marked
from studio_core.runs.rollouts import Rollout, Turn

SHOWN = 2_000
"""Characters of one turn; the rest is counted."""


def turns_shown(rollout: Rollout, terms: Sequence[str], language: str) -> Markup:
    """The turns of a rollout; nothing of one that was written in one go, without an environment."""
    rows = join(_turn(turn, terms, language) for turn in rollout.get("turns", []))
    return html('<div class="ts-rollout-turns">{}</div>', rows) if rows else Markup()


def _turn(turn: Turn, terms: Sequence[str], language: str) -> Markup:
    text, more = turn["content"], len(turn["content"]) - SHOWN
    rest = html(' <span class="ts-muted">{}</span>', say("browse.json_cut", language, n=number(more)))
    return html(
        '<div class="ts-rollout-turn-{}"><span class="ts-muted">{} · {}</span>'
        '<div class="ts-rollout-answer" dir="auto">{}{}</div></div>',
        "model" if turn["role"] == "assistant" else "tool",
        say(f"runs.rollout_turn_{'assistant' if turn['role'] == 'assistant' else 'tool'}", language),
        say("runs.rollout_tokens", language, tokens=turn["tokens"]),
        marked(text[:SHOWN], terms) if text.strip() else Markup(NOTHING),
        rest if more > 0 else "",
    )
