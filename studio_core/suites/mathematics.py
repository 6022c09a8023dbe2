r"""Suites of mathematics: a prompt that asks for ``\boxed{}``, and answers compared by what they mean."""

from __future__ import annotations

from studio_core.base.errors import StudioError
from studio_core.data.final_answers import final_answer, number
from studio_core.data.mathematics import means_same
from studio_core.data.shapes import Message
from studio_core.suites.base import Item, Verdict, asked

_QUOTED = 80
"""Characters of an answer that a reason shows."""


def worked(problem: str) -> tuple[Message, ...]:
    """The problem, with what final answers are recognised by."""
    return asked(f"{problem.strip()}\n\nReason step by step, and put your final answer within \\boxed{{}}.")


def score(item: Item, answer: str) -> Verdict:
    """1 if the final answer means what the key means. Without a marked one, only an answer that is nothing but a
    number can be read."""
    given = final_answer(answer) or (answer if number(answer) is not None else None)
    if given is None:
        return Verdict(0.0, "no_final_answer", {"wanted": item.key}, readable=False)
    said = {"answer": given[:_QUOTED], "wanted": item.key}
    try:
        return Verdict(1.0) if means_same(item.key, answer) else Verdict(0.0, "other_answer", said)
    except StudioError:
        # 10^{10^{10}}, which nobody can work out: it has no value that could be right.
        return Verdict(0.0, "not_comparable", said, readable=False)
