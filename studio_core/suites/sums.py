"""Unseen sums of numbers below 100, half of them in unseen words; the last number in ``\\boxed{}`` counts."""

from __future__ import annotations

import re

from studio_core.suites.base import Item, Suite, by

BOXED = re.compile(r"\\boxed\{(-?\d+)\}")


def right(item: Item, answer: str) -> bool:
    numbers = BOXED.findall(answer)
    return bool(numbers) and numbers[-1] == item.key


SUMS = Suite("sums", by(right))
