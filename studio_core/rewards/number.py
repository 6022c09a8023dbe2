"""The final answer is a number close to that of the record."""

from __future__ import annotations

import re
from fractions import Fraction

from studio_core.base.errors import BadInput
from studio_core.data.final_answers import final_answer
from studio_core.data.final_answers import number as number_of
from studio_core.data.shapes import Record
from studio_core.options import option
from studio_core.rewards.base import Reward, Score, held
from studio_core.rewards.equality import EqualityOptions, columns

_NUMBER = re.compile(r"[-−+]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?%?")


class NumberOptions(EqualityOptions):
    # A percent: what is left of rounding to three digits.
    tolerance: float = option(0.01, at_least=0.0, at_most=1.0)


def number(options: NumberOptions) -> Score:
    """1 if the answer's number is at most ``tolerance`` times the reference away from it, else 0.

    The number is the final answer where one is marked (``####``, ``\\boxed{}``, "the answer is"), else the last one in
    the text. Raises ``BadInput`` for a record whose reference is no number.
    """
    looked_into = columns(options)

    def score(prompt: str, answer: str, record: Record) -> float:
        reference = held(record, looked_into) or ""
        wanted = last_number(reference)
        if wanted is None:
            raise BadInput("rewards.no_number", value=reference[:80], columns=", ".join(looked_into))
        given = last_number(answer)
        near = given is not None and abs(given - wanted) <= Fraction(options.tolerance) * abs(wanted)
        return float(near)

    return score


def last_number(text: str) -> Fraction | None:
    """The number that a text ends in; 50 % is 0.5."""
    known = number_of(final_answer(text) or text)
    if known is None:
        numbers = _NUMBER.findall(text)
        known = number_of(numbers[-1]) if numbers else None
    if known is None:
        return None
    return known.value / 100 if known.percent else known.value


NUMBER = Reward("number", number, NumberOptions, columns)
