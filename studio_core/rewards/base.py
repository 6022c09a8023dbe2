"""What a reward is: a number that says how good an answer to a prompt is. Pure functions; no torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Reward = Callable[[str, str, dict[str, Any]], float]
"""``(prompt, answer, record) -> reward``: what was asked, what was answered, and the record that asked it."""

Takes = Literal["", "column", "number", "text", "pattern", "language"]


@dataclass(frozen=True)
class RewardKind:
    """A family of rewards, of which ``make`` gives one. Texts: ``generation.reward.<name>``."""

    name: str
    make: Callable[[str], Reward]
    """From its setting as a person writes it; raises ``BadInput`` that quotes it."""
    takes: Takes = ""
    """What the setting is."""
