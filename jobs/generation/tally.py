"""How it goes with the questions of one engine: how many, how many tokens, what they cost. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobs.generation.answering import Failure
from studio_core.generation.asking import Answer

GIVE_UP = 10
"""Questions that fail one after another before no more are asked: then it is the service, not the questions."""
REASONS = 5
"""Different reasons for failures that are kept."""


@dataclass
class Tally:
    """How it goes with the questions of one engine."""

    name: str
    prices: tuple[float, float]
    asked: int = 0
    cached: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    saved_in: int = 0
    saved_out: int = 0
    """Tokens of the answers that were known already."""
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def cost(self) -> float:
        return (self.tokens_in * self.prices[0] + self.tokens_out * self.prices[1]) / 1e6

    @property
    def saved(self) -> float:
        return (self.saved_in * self.prices[0] + self.saved_out * self.prices[1]) / 1e6

    def document(self) -> dict[str, Any]:
        return {
            "who": self.name,
            "asked": self.asked,
            "cached": self.cached,
            "failed": self.failed,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost": round(self.cost, 6),
            "saved": round(self.saved, 6),
            "priced": any(self.prices),
            "reasons": self.reasons,
        }

    def count(self, answer: Answer) -> None:
        self.asked += 1
        self.tokens_in += answer.tokens_in
        self.tokens_out += answer.tokens_out

    def count_failure(self, failure: Failure) -> None:
        self.failed += 1
        if failure.said in self.reasons or len(self.reasons) < REASONS:
            self.reasons[failure.said] = self.reasons.get(failure.said, 0) + 1
