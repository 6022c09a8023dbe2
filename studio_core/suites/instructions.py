"""One word, capitals, an answer in capitals, counting, repeating: what is asked for and nothing else."""

from __future__ import annotations

from studio_core.suites.base import Item, Suite, by, has


def right(item: Item, answer: str) -> bool:
    if item.kind == "capital answer":
        return answer == answer.upper() and has(answer, item.key)
    said, wanted = answer.rstrip("."), item.key.rstrip(".")
    return said.lower() == wanted.lower() if item.kind == "one word" else said == wanted


INSTRUCTIONS = Suite("instructions", by(right))
