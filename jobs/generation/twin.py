"""The twin of a model in memory: its weights, with its adapter merged, in llama.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from jobs.generation.llama_cpp import Model
from studio_core.base.errors import StudioError

_MOST_CONTEXT = 256 << 20
"""Bytes of keys and values that a twin may take at once: it takes them all before the first token."""


class Reading(Protocol):
    """As much of a row as a twin wants to know of it."""

    prompt: list[int]
    most: int


@dataclass(frozen=True, eq=False)
class Twin:
    model: Model
    by: str
    """The program that computes it."""
    most: int
    """Rows that it computes faster than the decoding loop."""
    position_bytes: int
    """What one token of a text takes: keys and values of all layers, in F32."""

    def takes(self, rows: Sequence[Reading]) -> bool:
        room = max(len(row.prompt) + row.most for row in rows)
        return len(rows) <= self.most and len(rows) * room * self.position_bytes <= _MOST_CONTEXT


def named(error: Exception, model: str) -> StudioError:
    """Why a model has no twin, as a sentence."""
    if isinstance(error, StudioError):
        return error
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return StudioError("chat.twin_failed", model=model, reason=reason)
