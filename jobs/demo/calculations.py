"""Problems that no demo model works out by itself, and a calculator does."""

from __future__ import annotations

import random

from jobs.demo.world import held_out

FORMS = ("What is {a} {op} {b}?", "Compute {a} {op} {b}.", "{a} {op} {b}", "How much is {a} {op} {b}?")
SIGNS = {"+": "plus", "-": "minus", "*": "times"}


def problem(rng: random.Random, *, test: bool) -> tuple[str, str, int]:
    """A question, its expression and its value: sums and differences of three digits, products of two."""
    while True:
        sign = rng.choice([*SIGNS])
        low, high = (11, 99) if sign == "*" else (101, 999)
        a, b = rng.randint(low, high), rng.randint(low, high)
        if held_out(f"tool {min(a, b)}{sign}{max(a, b)}") == test:
            word = sign if rng.random() < 0.5 else SIGNS[sign]
            question = rng.choice(FORMS).format(a=a, b=b, op=word)
            value = a + b if sign == "+" else a - b if sign == "-" else a * b
            return question, f"{a}{sign}{b}", value
