"""Facts of the demo models' world in unseen forms. An answer that names a second value is wrong."""

from __future__ import annotations

from studio_core.suites.base import Item, Suite, by, has


def right(item: Item, answer: str) -> bool:
    return has(answer, item.key) and not any(has(answer, value) for value in item.wrong)


FACTS = Suite("facts", by(right))
