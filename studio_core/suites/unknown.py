"""Questions about what is not in the demo models' world: a right answer says that it does not know."""

from __future__ import annotations

from studio_core.suites.base import Item, Suite, by


def right(item: Item, answer: str) -> bool:
    return "not know" in answer.lower()


UNKNOWN = Suite("unknown", by(right))
