"""Who the model is: the answer must say its name and its maker."""

from __future__ import annotations

from studio_core.suites.base import Item, Suite, by, has


def right(item: Item, answer: str) -> bool:
    return has(answer, item.key) and has(answer, item.other)


IDENTITY = Suite("identity", by(right))
